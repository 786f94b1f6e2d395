#include "tests/fake/cert.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "tests/unit/test.h"

#define DAY_S (24 * 60 * 60L)

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *certificate(const char *name, EVP_PKEY *key, const char *issuer,
                         EVP_PKEY *issuer_key, long valid_until)
{
	X509 *x = X509_new();
	assert_non_null(x);
	assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer == name ? 1 : 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -30 * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(x), valid_until);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	                           (const unsigned char *)name, -1, -1, 0);
	X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC,
	                           (const unsigned char *)issuer, -1, -1, 0);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	if (key == issuer_key && valid_until > 0)
		add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	char san[64];
	(void)snprintf(san, sizeof(san), "DNS:%s", name);
	add_extension(x, NID_subject_alt_name, san);
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

static void write_ca(struct cert *c, X509 *ca)
{
	(void)snprintf(c->ca_path, sizeof(c->ca_path), "/tmp/test-ca-XXXXXX");
	int fd = mkstemp(c->ca_path);
	assert_true(fd >= 0);
	FILE *f = fdopen(fd, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, ca), 1);
	assert_int_equal(fclose(f), 0);
}

static void set_pin(struct cert *c, X509 *x)
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	assert_true(len > 0);
	unsigned char digest[SHA256_DIGEST_LENGTH];
	unsigned char text[64];
	SHA256(der, (size_t)len, digest);
	(void)EVP_EncodeBlock(text, digest, sizeof(digest));
	(void)snprintf(c->pin, sizeof(c->pin), "sha256//%.48s",
	               (const char *)text);
	OPENSSL_free(der);
}

void cert_init(struct cert *c, enum cert_kind kind)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256");
	EVP_PKEY *other_key = EVP_EC_gen("P-256");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	assert_non_null(ca_key);
	assert_non_null(other_key);
	assert_non_null(key);
	X509 *ca = certificate("test CA", ca_key, "test CA", ca_key, DAY_S);
	const char *name =
		kind == CERT_WRONG_NAME ? "elsewhere.example" : "localhost";
	bool self = kind == CERT_SELF_SIGNED;
	EVP_PKEY *issuer_key = self                    ? key
	                       : kind == CERT_OTHER_CA ? other_key
	                                               : ca_key;
	const char *issuer = self                    ? name
	                     : kind == CERT_OTHER_CA ? "another CA"
	                                             : "test CA";
	X509 *x = certificate(name, key, issuer, issuer_key,
	                      kind == CERT_EXPIRED ? -DAY_S : DAY_S);
	c->ctx = SSL_CTX_new(TLS_server_method());
	assert_non_null(c->ctx);
	assert_int_equal(SSL_CTX_use_certificate(c->ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(c->ctx, key), 1);
	write_ca(c, ca);
	set_pin(c, x);
	X509_free(x);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(ca_key);
}

void cert_release(struct cert *c)
{
	SSL_CTX_free(c->ctx);
	c->ctx = NULL;
	(void)unlink(c->ca_path);
}
