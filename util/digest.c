#include "util/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

void digest_sha256(const void *bytes, size_t len, uint8_t out[DIGEST_SIZE])
{
	if (EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory: SHA-256 itself cannot fail */
}

/* struct digest is OpenSSL's context under another name. */
struct digest *digest_begin(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort();
	return (struct digest *)ctx;
}

void digest_add(struct digest *d, const void *bytes, size_t len)
{
	if (EVP_DigestUpdate((EVP_MD_CTX *)d, bytes, len) != 1)
		abort();
}

void digest_end(struct digest *d, uint8_t out[DIGEST_SIZE])
{
	if (EVP_DigestFinal_ex((EVP_MD_CTX *)d, out, NULL) != 1)
		abort();
	EVP_MD_CTX_free((EVP_MD_CTX *)d);
}

uint64_t digest_u64(const void *bytes, size_t len)
{
	uint8_t digest[DIGEST_SIZE];
	digest_sha256(bytes, len, digest);
	uint64_t n = 0;
	for (int i = 0; i < 8; i++)
		n = n << 8 | digest[i];
	return n;
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}
