#include <openssl/err.h>
#include <openssl/ssl.h>

#include "siod/net/conn.h"

/* The reason OpenSSL gives for its last failure; empties its queue. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return text != NULL ? text : "cannot be read";
}

static enum err load(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct errmsg *msg)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
        return err_set(msg, ERR_INVALID, "%s: no usable certificate chain: %s", cert_file,
                       reason());
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1) {
        return err_set(msg, ERR_INVALID, "%s: no usable private key for %s: %s", key_file,
                       cert_file, reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return err_set(msg, ERR_INVALID, "%s does not match %s: %s", key_file, cert_file, reason());
    }
    return OK;
}

enum err tls_files_check(const struct tls_files *files, struct errmsg *msg)
{
    SSL_CTX *scratch = SSL_CTX_new(TLS_server_method());
    enum err err;

    if (scratch == NULL) {
        return err_set(msg, ERR_INTERNAL, "TLS is not available: %s", reason());
    }
    err = load(scratch, files->cert_file, files->key_file, msg);
    SSL_CTX_free(scratch);
    return err;
}

enum err tls_load(SSL_CTX *ctx, const struct tls_files *files, struct errmsg *msg)
{
    enum err err = tls_files_check(files, msg);

    return err != OK ? err : load(ctx, files->cert_file, files->key_file, msg);
}

/* No ALPN: the library would offer HTTP/2, which the raw role cannot speak. No SNI callback: one
 * listener has one certificate. No session cache: tickets keep resumption without memory here. */
void tls_prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_alpn_select_cb(ctx, NULL, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
}
