#include "siod/store/digest.h"

#include <string.h>

#include <openssl/evp.h>

#include "libshared/alloc.h"

/* OpenSSL's calls fail only without memory. */
static void sure(int result)
{
    if (result != 1) {
        abort();
    }
}

static void add_number(EVP_MD_CTX *hash, uint64_t number)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(number >> (8 * i));
    }
    sure(EVP_DigestUpdate(hash, bytes, sizeof bytes));
}

struct store_digest_row {
    EVP_MD_CTX *hash;
};

struct store_digest *store_digest_new(void)
{
    struct store_digest *digest = xnew(struct store_digest);

    digest->row = xnew(struct store_digest_row);
    digest->row->hash = EVP_MD_CTX_new();
    return digest;
}

static void free_place(struct store_digest *digest)
{
    for (size_t i = 0; i < ARRAY_SIZE(digest->after); i++) {
        buf_finish(&digest->after[i]);
    }
}

void store_digest_free(struct store_digest *digest)
{
    if (digest == NULL) {
        return;
    }
    EVP_MD_CTX_free(digest->row->hash);
    free(digest->row);
    free_place(digest);
    free(digest);
}

struct store_digest_row *store_digest_row_begin(struct store_digest *digest)
{
    sure(EVP_DigestInit_ex(digest->row->hash, EVP_sha256(), NULL));
    add_number(digest->row->hash, digest->table);
    return digest->row;
}

void store_digest_row_add(struct store_digest_row *row, struct str column)
{
    add_number(row->hash, column.data != NULL ? column.len : UINT64_MAX);
    sure(EVP_DigestUpdate(row->hash, column.data, column.len));
}

static void add_hash(uint64_t sum[4], const unsigned char hash[32])
{
    unsigned carry = 0;

    for (size_t i = 0; i < 4; i++) {
        uint64_t word = 0;

        for (size_t j = 0; j < 8; j++) {
            word |= (uint64_t)hash[8 * i + j] << (8 * j);
        }
        sum[i] += carry;
        carry = sum[i] < carry;
        sum[i] += word;
        carry += sum[i] < word;
    }
}

void store_digest_row_end(struct store_digest *digest, struct store_digest_row *row)
{
    unsigned char hash[EVP_MAX_MD_SIZE];

    sure(EVP_DigestFinal_ex(row->hash, hash, NULL));
    add_hash(digest->sum, hash);
    digest->rows[digest->table]++;
}

void store_digest_move(struct store_digest *digest, struct store_digest *next, bool table_ends)
{
    free_place(digest);
    digest->after_id = next->after_id;
    memcpy(digest->after, next->after, sizeof digest->after);
    memset(next->after, 0, sizeof next->after);
    if (table_ends) {
        digest->table++;
        digest->after_id = 0;
        free_place(digest);
    }
}

void store_digest_render(const struct store_digest *digest, char *ret_text)
{
    for (size_t i = 0; i < STORE_DIGEST_LEN; i++) {
        ret_text[i] = "0123456789abcdef"[digest->sum[i / 16] >> (4 * (15 - i % 16)) & 15];
    }
    ret_text[STORE_DIGEST_LEN] = '\0';
}
