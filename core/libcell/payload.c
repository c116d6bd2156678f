#include <cell/payload.h>

#include "callstate.h"

#include <cell/cell.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* All that a receiver insists on. F_SEAL_FUTURE_WRITE is not enough: an old mapping still writes. */
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/*
 * A payload is an encoded message with one `bytes` field, number 1, so that a receiver
 * decodes it as any other body. Before it stands an unknown field, a varint of 0 under
 * number 2, and its length is written long: so the data behind them is aligned.
 */
#define PREFIX_SIZE FRAME_PAYLOAD_PREFIX
static const uint8_t prefix_tags[3] = { 2 << 3, 0, 1 << 3 | 2 };

struct cell_payload {
	struct list in_root;
	uint8_t *map;  /* the message: SIZE bytes */
	size_t size;
	size_t at;     /* where the data begins in it */
	int fd;
	unsigned refs;
	bool is_sealed;
};

static struct cell_payload *payload_new(int fd, size_t size)
{
	struct cell_payload *payload = calloc(1, sizeof *payload);

	if (payload) {
		payload->fd = fd;
		payload->size = size;
		payload->refs = 1;
		list_init(&payload->in_root);
	}
	return payload;
}

/* The length as a varint of five bytes. */
static void prefix_write(uint8_t *at, size_t size)
{
	memcpy(at, prefix_tags, sizeof prefix_tags);
	for (unsigned i = 0; i < 5; i++)
		at[3 + i] = (uint8_t)((size >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
}

static bool has_prefix(const uint8_t *map, size_t size)
{
	uint8_t expected[PREFIX_SIZE];

	if (size < PREFIX_SIZE)
		return false;
	prefix_write(expected, size - PREFIX_SIZE);
	return memcmp(map, expected, PREFIX_SIZE) == 0;
}

void payload_list(struct call_root *root, struct cell_payload *payload)
{
	list_append(&root->payloads, &payload->in_root);
}

void payload_unlist(struct list *node)
{
	cell_payload_free(list_entry(node, struct cell_payload, in_root));
}

struct cell_payload *cell_payload_new(struct cell_call *call, size_t size)
{
	struct call_root *root = call->root;
	struct cell_payload *payload;
	int fd;

	if (!root->rt)
		return NULL;
	if (size == 0 || size > root->rt->payload_max) {
		(void)cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				  "a payload of %zu bytes, limit %" PRIu64, size,
				  root->rt->payload_max);
		return NULL;
	}
	fd = memfd_create("cell-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Blocks for all of it now: a sparse file would be filled on the reader's account. */
	if (fd < 0 || fallocate(fd, 0, 0, (off_t)(size + PREFIX_SIZE)) < 0) {
		(void)cell_refuse(call, errno == ENOSPC ? CELL_RESOURCE_EXHAUSTED : -errno,
				  "a payload of %zu bytes: %s", size, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	payload = payload_new(fd, size + PREFIX_SIZE);
	if (payload)
		payload->map = mmap(NULL, payload->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!payload || payload->map == MAP_FAILED) {
		(void)cell_refuse(call, -ENOMEM, "mapping a payload of %zu bytes", size);
		(void)close(fd);
		free(payload);
		return NULL;
	}
	prefix_write(payload->map, size);
	payload->at = PREFIX_SIZE;
	payload_list(root, payload);
	return payload;
}

uint8_t *cell_payload_data(struct cell_payload *payload)
{
	return payload->map ? payload->map + payload->at : NULL;
}

size_t cell_payload_size(const struct cell_payload *payload)
{
	return payload->size - payload->at;
}

const uint8_t *payload_message(const struct cell_payload *payload, size_t *ret_len)
{
	*ret_len = payload->size;
	return payload->map;
}

void cell_payload_free(struct cell_payload *payload)
{
	if (!payload)
		return;
	list_unlink(&payload->in_root);
	payload_unref(payload);
}

struct cell_payload *payload_ref(struct cell_payload *payload)
{
	payload->refs++;
	return payload;
}

void payload_unref(struct cell_payload *payload)
{
	if (!payload || --payload->refs > 0)
		return;
	if (payload->map)
		(void)munmap(payload->map, payload->size);
	(void)close(payload->fd);
	free(payload);
}

/* Write access ends here, then nobody gets it again. */
static int seal(struct cell_payload *payload, struct cell_error *err)
{
	if (payload->is_sealed)
		return 0;
	(void)munmap(payload->map, payload->size);
	payload->map = NULL;
	if (fcntl(payload->fd, F_ADD_SEALS, SEALS) < 0)
		return cell_fail(err, -errno, "sealing a payload: %s", strerror(errno));
	payload->is_sealed = true;
	payload->map = mmap(NULL, payload->size, PROT_READ, MAP_SHARED, payload->fd, 0);
	if (payload->map == MAP_FAILED) {
		payload->map = NULL;
		return cell_fail(err, -ENOMEM, "mapping a payload");
	}
	return 0;
}

/*
 * On a ring the descriptor goes first, on the lifeline; then its frame, which says only that it
 * has one. On a stream the bytes travel in fragments; to a peer that makes no payload of them,
 * as those of any other body.
 */
int payload_send(struct connection *conn, struct cell_payload *payload, struct frame *frame,
		 struct cell_error *err)
{
	uint8_t note[16];
	struct iovec part = { .iov_base = note, .iov_len = sizeof note };
	int r;

	if (conn->is_broken)
		return cell_fail(err, CELL_UNAVAILABLE, "the connection to %s is closed",
				 conn->peer_cell);
	if (conn->link.kind == LINK_PACKET ||
	    (conn->link.kind == LINK_STREAM && conn->theirs.payload_max == 0))
		return connection_send_bytes(conn, frame, payload->map, payload->size, err);
	if (payload->size > conn->theirs.payload_max + PREFIX_SIZE)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "a payload of %zu bytes, %s takes %" PRIu64, payload->size,
				 conn->peer_cell, conn->theirs.payload_max);
	r = seal(payload, err);
	if (r < 0)
		return r;
	if (conn->link.kind == LINK_STREAM)
		return connection_send_payload(conn, frame, payload, err);
	cell_store_u64(note, frame->call_id);
	cell_store_u64(note + 8, payload->size);
	r = sock_send(conn->link.fd, &part, 1, &payload->fd, 1, err);
	if (r == SOCK_WAIT)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "%s has not taken earlier payloads",
				 conn->peer_cell);
	if (r < 0)
		return cell_fail(err, CELL_UNAVAILABLE, "%s: the peer is gone", conn->peer_cell);
	frame->flags |= FRAME_FLAG_MEMFD;
	return connection_send_bytes(conn, frame, NULL, 0, err);
}

struct cell_payload *payload_map(int fd, uint64_t size, uint64_t max, struct cell_error *err)
{
	struct cell_payload *payload = NULL;
	struct stat info;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS)
		(void)cell_fail(err, -EPROTO, "a payload that is not sealed (seals %#x)",
				seals < 0 ? 0u : (unsigned)seals);
	else if (fstat(fd, &info) < 0 || info.st_size < 0 || (uint64_t)info.st_size != size)
		(void)cell_fail(err, -EPROTO, "a payload that is not of the announced size");
	else if (size == 0 || size > max + PREFIX_SIZE)
		(void)cell_fail(err, -EPROTO, "a payload of %" PRIu64 " bytes, limit %" PRIu64,
				size, max);
	else if ((uint64_t)info.st_blocks * 512 < size)
		(void)cell_fail(err, -EPROTO, "a sparse payload (%llu of %" PRIu64 " bytes)",
				(unsigned long long)info.st_blocks * 512, size);
	else
		payload = payload_new(fd, (size_t)size);
	if (payload) {
		payload->is_sealed = true;
		payload->map = mmap(NULL, payload->size, PROT_READ, MAP_SHARED, fd, 0);
		if (payload->map != MAP_FAILED) {
			payload->at = has_prefix(payload->map, payload->size) ? PREFIX_SIZE : 0;
			return payload;
		}
		(void)cell_fail(err, -ENOMEM, "mapping a payload of %" PRIu64 " bytes", size);
		free(payload);
	}
	(void)close(fd);
	return NULL;
}

int payload_begin(int *ret_fd, struct cell_error *err)
{
	int fd = memfd_create("cell-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "a memfd for a payload: %s",
				 strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* Written, not copied to a mapping: without memory that fails here and is no SIGBUS. */
int payload_append(int fd, uint64_t at, const uint8_t *bytes, size_t len, struct cell_error *err)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
					 "a payload, after %" PRIu64 " bytes: %s", at,
					 strerror(n < 0 ? errno : ENOSPC));
		at += (uint64_t)n;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

struct cell_payload *payload_finish(int fd, uint64_t size, uint64_t max, struct cell_error *err)
{
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		(void)cell_fail(err, CELL_RESOURCE_EXHAUSTED, "sealing a payload: %s",
				strerror(errno));
		(void)close(fd);
		return NULL;
	}
	return payload_map(fd, size, max, err);
}

struct cell_payload *cell_call_payload(struct cell_call *call)
{
	struct call_root *root = call->root;
	struct served *served = list_entry(root, struct served, root);

	/* Only handlers of a request have a caller that is not themselves. */
	if (!root->rt || root->peer == &root->rt->self)
		return NULL;
	return served->payload;
}

int cell_reply_payload(struct cell_call *call, struct cell_payload *payload)
{
	struct call_root *root = call->root;

	if (!root->rt || root->peer == &root->rt->self)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "only a handler answers with a payload");
	list_entry(root, struct served, root)->reply_payload = payload;
	return 0;
}
