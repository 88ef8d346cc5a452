/* certificate - a self-signed TLS certificate for a machine that has none: good for senders that are given a copy of it. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define FINGERPRINT_BYTES 100 /* SHA-256 as "AA:BB:..." */

/* Writes PEM files (certificate 0644, key 0600, synced) for the host name, for its own addresses and for the name
 * "localhost": ECDSA P-256, 825 days. Files that exist are kept and used. */
bool certificate_ensure(const char *certificate_path, const char *key_path, const char *host, struct err *err);

/* The fingerprint of the first certificate in the file. */
bool certificate_fingerprint(const char *certificate_path, char out_text[static FINGERPRINT_BYTES], struct err *err);
