/*
 * Challenge and response on core.sock: proof that an outside process can read the run
 * directory's key.
 *
 * It adds one thing to the check of the peer's uid: a process of the same user that is
 * confined away from the run directory cannot join (KERNEL.md section 6).
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_KEY_SIZE 32
#define AUTH_NONCE_SIZE 32
#define AUTH_MAC_SIZE 32

/* What is authenticated behind the nonce, so that the key serves for nothing else. */
#define AUTH_CONTEXT "cell core v1"

/* Read the key at PATH: a regular file of 32 bytes that nobody but its owner may read. */
int auth_key_load(uint8_t ret_key[static AUTH_KEY_SIZE], const char *path, struct cell_error *err);

/*
 * The key at PATH, made anew (random, mode 0600, in place at once or not at all) if there
 * is none. A damaged or readable one is an error: somebody has to look.
 */
int auth_key_ensure(uint8_t ret_key[static AUTH_KEY_SIZE], const char *path,
		    struct cell_error *err);

/* Overwrite a key that is no longer needed, so that no later bug can show it. */
void auth_key_wipe(uint8_t key[static AUTH_KEY_SIZE]);

/* A fresh random challenge. */
void auth_nonce(uint8_t ret_nonce[static AUTH_NONCE_SIZE]);

/* The answer: BLAKE2b-256 keyed with KEY, of NONCE and AUTH_CONTEXT. */
void auth_prove(uint8_t ret_mac[static AUTH_MAC_SIZE], const uint8_t key[static AUTH_KEY_SIZE],
		const uint8_t nonce[static AUTH_NONCE_SIZE]);

/* Whether MAC (MAC_LEN bytes, from the peer) answers NONCE. Takes the same time if not. */
bool auth_is_proof(const uint8_t *mac, size_t mac_len, const uint8_t key[static AUTH_KEY_SIZE],
		   const uint8_t nonce[static AUTH_NONCE_SIZE]);
