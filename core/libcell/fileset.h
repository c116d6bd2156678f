/*
 * The schema of a service that no .proto file describes: a FileDescriptorSet, put together
 * from what its methods and messages say of themselves. Pure.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <cell/linked.h>

/* Messages and enums that one service may use. */
#define FILESET_TYPES_MAX 1024

struct fileset_service {
	const char *full_name; /* "cell.bank.v1.Bank" */
	const char *doc;       /* or NULL */
	const struct cell_linked_method *const *methods;
	size_t n_methods;
};

/*
 * *ret_bytes (a FileDescriptorSet in ARENA): the service's file, "bank.proto", behind the one
 * of common.proto, of which COMMON are the bytes, if a method takes or gives nothing. Returns
 * 0, CELL_ALREADY_EXISTS if two types have one name, CELL_INVALID_ARGUMENT if a message has
 * no description, CELL_RESOURCE_EXHAUSTED, -ENOMEM.
 */
int fileset_build(const struct fileset_service *service, const uint8_t *common,
		  size_t common_len, struct cell_arena *arena, const uint8_t **ret_bytes,
		  size_t *ret_len, struct cell_error *err);

/* The FileDescriptorProto called NAME in the set of LEN bytes at SET; NULL if there is none. */
const uint8_t *fileset_find(const uint8_t *set, size_t len, const char *name, size_t *ret_len);

/*
 * Put the files of MORE behind the LEN bytes at SET, where there is room for all of them, but
 * for those that are there already, byte for byte. Returns how many bytes SET has then.
 */
size_t fileset_append(uint8_t *set, size_t len, const uint8_t *more, size_t more_len);
