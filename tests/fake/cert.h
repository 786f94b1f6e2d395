/*
 * Certificates for the scripted server, made afresh in each test program: a
 * CA, and a certificate that is right or wrong in one way.
 */
#ifndef TESTS_FAKE_CERT_H
#define TESTS_FAKE_CERT_H

#include <openssl/ssl.h>

enum cert_kind {
	CERT_GOOD, /* for localhost, signed by the CA */
	CERT_EXPIRED,
	CERT_WRONG_NAME,
	CERT_SELF_SIGNED,
	CERT_OTHER_CA,
};

struct cert {
	SSL_CTX *ctx;
	char ca_path[32]; /* PEM of the CA, a file until cert_release() */
	char pin[64];     /* of the key: sha256//BASE64 */
};

/* Fails the test when it cannot. */
void cert_init(struct cert *c, enum cert_kind kind);
void cert_release(struct cert *c);

#endif
