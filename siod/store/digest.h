/* How rows become the one number of store_digest_slice(): for the back ends.
 *
 * A row's columns, each with its length, are hashed by SHA-256, and the hashes of all rows are
 * added up modulo 2^256: the sum is the same in whatever order the rows are read, and, unlike with
 * XOR, two equal rows do not vanish. */
#pragma once

#include "siod/store/store.h"

struct store_digest_row;

/* One row at a time; returns what belongs to `digest`. */
struct store_digest_row *store_digest_row_begin(struct store_digest *digest);
/* The next column; .data NULL is told from an empty one. */
void store_digest_row_add(struct store_digest_row *row, struct str column);
void store_digest_row_end(struct store_digest *digest, struct store_digest_row *row);
/* At the end of a slice: takes the place that `next` has, and goes to the next table at the end of
 * this one. */
void store_digest_move(struct store_digest *digest, struct store_digest *next, bool table_ends);
