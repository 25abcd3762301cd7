/* Cross-origin requests of browsers (Fetch standard, "CORS protocol"), by a list of origins.
 *
 * `origins` ends with NULL. NULL or empty: no CORS at all; a first entry "*": any origin, without
 * credentials. */
#pragma once

#include <stdbool.h>

#include "libshared/buf.h"

struct http_request;

/* True also for a request without Origin, and when there is no CORS. */
bool cors_allows(const char *const *origins, const struct http_request *request);
/* Appends the "Name: value\r\n" lines that an answer to this request needs, maybe none. */
void cors_add(struct buf *headers, const char *const *origins, const struct http_request *request);
/* Appends the "Allow" line of a resource with these methods: with CORS there is OPTIONS, too. */
void cors_add_allow(struct buf *headers, const char *const *origins, const char *methods);
/* Answers the OPTIONS request that precedes; false, and nothing is answered, when there is no CORS.
 */
bool cors_preflight(const char *const *origins, struct http_request *request);
