#include "seal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <cell/bytes.h>
#include <cell/codec.h>

static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "libsodium's");
static_assert(SEAL_OVERHEAD == 4 + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
				       crypto_aead_xchacha20poly1305_ietf_ABYTES,
	      "number, nonce, tag");

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define HEAD_BYTES  (4 + NONCE_BYTES)

struct seal {
	char *path;
	struct seal_keys *keys;
};

/* --- keys ------------------------------------------------------------------------------------------- */

static void key_make(struct seal_keys *keys)
{
	uint32_t last = keys->n ? keys->key[keys->n - 1].number : 0;
	struct seal_key *key = &keys->key[keys->n++];

	key->number = last + 1;
	randombytes_buf(key->bytes, sizeof key->bytes);
}

static const struct seal_key *key_find(const struct seal *seal, uint32_t number)
{
	for (size_t i = seal->keys->n; i-- > 0;)
		if (seal->keys->key[i].number == number)
			return &seal->keys->key[i];
	return NULL;
}

static int read_or_make(struct seal *seal, struct cell_error *err)
{
	struct cell_error why = { .code = 0 };
	int r = seal_file_read(seal->keys, seal->path, &why);

	if (r != -ENOENT)
		return r < 0 ? cell_fail(err, r, "%s", why.text) : 0;
	seal->keys->n = 0;
	key_make(seal->keys);
	return seal_file_write(seal->keys, seal->path, err);
}

int seal_open(struct seal **ret_seal, const char *path, struct cell_error *err)
{
	struct seal *seal;
	int r = -ENOMEM;

	if (sodium_init() < 0)
		return cell_fail(err, CELL_INTERNAL, "libsodium does not start");
	seal = calloc(1, sizeof *seal);
	if (seal) {
		seal->path = strdup(path);
		seal->keys = sodium_malloc(sizeof *seal->keys);
	}
	if (!seal || !seal->path || !seal->keys)
		(void)cell_fail(err, r, "no memory for the keys of '%s'", path);
	else
		r = read_or_make(seal, err);
	if (r < 0) {
		seal_close(seal);
		return r;
	}
	*ret_seal = seal;
	return 0;
}

void seal_close(struct seal *seal)
{
	if (!seal)
		return;
	sodium_free(seal->keys);
	free(seal->path);
	free(seal);
}

/* Write NEXT, and have its keys from then on. */
static int keys_replace(struct seal *seal, struct seal_keys *next, struct cell_error *err)
{
	int r = seal_file_write(next, seal->path, err);

	if (r < 0) {
		sodium_free(next);
		return r;
	}
	sodium_free(seal->keys);
	seal->keys = next;
	return 0;
}

int seal_rotate(struct seal *seal, struct cell_error *err)
{
	struct seal_keys *next;

	if (seal->keys->n == SEAL_KEYS_MAX || seal_newest(seal) == UINT32_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "the key file '%s' has %zu keys, which is its limit: seal all "
				 "anew, so that old ones can go",
				 seal->path, seal->keys->n);
	next = sodium_malloc(sizeof *next);
	if (!next)
		return cell_fail(err, -ENOMEM, "no memory for the keys of '%s'", seal->path);
	memcpy(next, seal->keys, sizeof *next);
	key_make(next);
	return keys_replace(seal, next, err);
}

uint32_t seal_newest(const struct seal *seal)
{
	return seal->keys->key[seal->keys->n - 1].number;
}

int seal_forget(struct seal *seal, uint32_t number, struct cell_error *err)
{
	struct seal_keys *next;

	if (number > seal_newest(seal))
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "key %u is not there yet: the newest is %u", number,
				 seal_newest(seal));
	if (seal->keys->key[0].number >= number)
		return 0;
	next = sodium_malloc(sizeof *next);
	if (!next)
		return cell_fail(err, -ENOMEM, "no memory for the keys of '%s'", seal->path);
	next->n = 0;
	for (size_t i = 0; i < seal->keys->n; i++)
		if (seal->keys->key[i].number >= number)
			next->key[next->n++] = seal->keys->key[i];
	return keys_replace(seal, next, err);
}

/* --- what is sealed --------------------------------------------------------------------------------- */

/* Bytes of a value as they are sealed: numbers as eight, all else as it is. */
static const uint8_t *plain_bytes(const struct value *value, uint8_t number[8], size_t *ret_len)
{
	switch (value->kind) {
	case VALUE_BOOL: cell_store_u64(number, value->boolean); break;
	case VALUE_REAL: cell_store_u64(number, cell_double_bits(value->real)); break;
	case VALUE_INT:
	case VALUE_UINT: cell_store_u64(number, value->natural); break;
	default: *ret_len = value->len; return value->bytes;
	}
	*ret_len = 8;
	return number;
}

static bool plain_value(const struct table_column *column, const uint8_t *bytes, size_t len,
			struct value *ret)
{
	ret->kind = column->repeated ? VALUE_LIST : value_kind_of(column->type);
	if (ret->kind >= VALUE_TEXT) {
		ret->bytes = bytes;
		ret->len = len;
		return true;
	}
	if (len != 8)
		return false;
	ret->natural = cell_load_u64(bytes);
	if (ret->kind == VALUE_BOOL)
		ret->boolean = ret->natural != 0;
	else if (ret->kind == VALUE_REAL)
		memcpy(&ret->real, &(uint64_t){ ret->natural }, sizeof ret->real);
	return true;
}

static uint8_t *put_part(uint8_t *out, const void *bytes, size_t len)
{
	cell_store_u32(out, (uint32_t)len);
	if (len)
		memcpy(out + 4, bytes, len);
	return out + 4 + len;
}

/*
 * What a value is bound to: where it is and of which kind. Each part has its length before it,
 * so that no two places give the same bytes.
 */
static uint8_t *bound_bytes(const struct seal_place *place, const struct table_column *column,
			    size_t *ret_len, struct cell_arena *arena)
{
	size_t store = strlen(place->store), table = strlen(place->table);
	uint8_t *bytes = cell_arena_alloc(arena, 5 * 4 + store + table + 4 + 1 + place->key_len);
	uint8_t kind = (uint8_t)(column->repeated ? VALUE_LIST : value_kind_of(column->type));
	uint8_t number[4], *out;

	if (!bytes)
		return NULL;
	cell_store_u32(number, place->column);
	out = put_part(bytes, place->store, store);
	out = put_part(out, place->table, table);
	out = put_part(out, number, sizeof number);
	out = put_part(out, &kind, sizeof kind);
	out = put_part(out, place->key, place->key_len);
	*ret_len = (size_t)(out - bytes);
	return bytes;
}

int seal_value(const struct seal *seal, const struct seal_place *place,
	       const struct table_column *column, const struct value *value,
	       struct value *ret_sealed, struct cell_arena *arena, struct cell_error *err)
{
	const struct seal_key *key = &seal->keys->key[seal->keys->n - 1];
	size_t plain_len, bound_len = 0;
	uint8_t number[8], *bytes, *bound = bound_bytes(place, column, &bound_len, arena);
	const uint8_t *plain = plain_bytes(value, number, &plain_len);

	bytes = bound ? cell_arena_alloc(arena, SEAL_OVERHEAD + plain_len) : NULL;
	if (!bytes)
		return cell_fail(err, -ENOMEM, "no memory to seal %s.%s", place->table,
				 column->name);
	cell_store_u32(bytes, key->number);
	randombytes_buf(bytes + 4, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + HEAD_BYTES, NULL, plain, plain_len,
							 bound, bound_len, NULL, bytes + 4,
							 key->bytes);
	sodium_memzero(number, sizeof number);
	*ret_sealed = (struct value){ .kind = VALUE_BYTES, .bytes = bytes,
				      .len = SEAL_OVERHEAD + plain_len };
	return 0;
}

int unseal_value(const struct seal *seal, const struct seal_place *place,
		 const struct table_column *column, const struct value *sealed,
		 struct value *ret_value, struct cell_arena *arena, struct cell_error *err)
{
	uint32_t number = seal_number(sealed);
	const struct seal_key *key = number ? key_find(seal, number) : NULL;
	size_t bound_len = 0;
	uint8_t *plain, *bound;
	struct value value;

	if (!number)
		return cell_fail(err, CELL_DATA_LOSS, "%s.%s is not sealed, and should be",
				 place->table, column->name);
	if (!key)
		return cell_fail(err, CELL_DATA_LOSS, "%s.%s is sealed with key %u, which '%s' has not",
				 place->table, column->name, number, seal->path);
	bound = bound_bytes(place, column, &bound_len, arena);
	plain = bound ? cell_arena_alloc(arena, sealed->len - SEAL_OVERHEAD) : NULL;
	if (!plain)
		return cell_fail(err, -ENOMEM, "no memory to open %s.%s", place->table,
				 column->name);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    plain, NULL, NULL, sealed->bytes + HEAD_BYTES, sealed->len - HEAD_BYTES, bound,
		    bound_len, sealed->bytes + 4, key->bytes) != 0 ||
	    !plain_value(column, plain, sealed->len - SEAL_OVERHEAD, &value))
		return cell_fail(err, CELL_DATA_LOSS,
				 "%s.%s does not open: it was damaged, or sealed elsewhere",
				 place->table, column->name);
	*ret_value = value;
	return 0;
}

uint32_t seal_number(const struct value *sealed)
{
	return sealed->kind == VALUE_BYTES && sealed->len >= SEAL_OVERHEAD
		       ? cell_load_u32(sealed->bytes)
		       : 0;
}
