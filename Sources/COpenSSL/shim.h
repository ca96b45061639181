#pragma once
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros, variadics and their kin, which Swift does not see.
static inline long lw_ssl_set_host_name(SSL *ssl, const char *name) {
  return SSL_set_tlsext_host_name(ssl, (char *)name);
}

// A new private key on the curve P-256. Source: EVP_PKEY_Q_keygen(3).
static inline EVP_PKEY *lw_new_p256_key(void) { return EVP_EC_gen("P-256"); }

// A new private Ed25519 key. Source: EVP_PKEY_Q_keygen(3).
static inline EVP_PKEY *lw_new_ed25519_key(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }

// What a server on a non-blocking descriptor needs. Sources: SSL_CTX_set_mode(3), SSL_CTX_set_options(3).
static inline void lw_ssl_ctx_prepare_server(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
