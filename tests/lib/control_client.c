#include "control_client.h"

#include "libcell/auth.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct cell_method *method_find(const struct cell_service *service, const char *name)
{
	for (size_t i = 0; i < service->n_methods; i++)
		if (strcmp(service->methods[i].name, name) == 0)
			return &service->methods[i];
	return NULL;
}

const struct cell_method *control_method(const char *name)
{
	return method_find(&core_service, name);
}

const struct cell_method *control_instance_method(const char *name)
{
	return method_find(&core_instance_service, name);
}

void control_client_attach(struct control_client *client, int fd)
{
	memset(client, 0, sizeof *client);
	client->fd = fd;
	client->next_id = 1;
	cell_arena_init(&client->arena, 0);
}

void control_client_close(struct control_client *client)
{
	while (client->kept) {
		struct control_packet *packet = client->kept;

		client->kept = packet->next;
		sock_packet_close(&packet->packet);
		free(packet);
	}
	cell_arena_deinit(&client->arena);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One packet, or NULL with the reason in ERR. */
static struct control_packet *packet_receive(struct control_client *client, long long until_ms,
					     struct cell_error *err)
{
	struct pollfd at = { .fd = client->fd, .events = POLLIN };
	uint8_t bytes[FRAME_HEADER_SIZE + 4096];
	struct sock_packet received;
	struct control_packet *packet;
	long long left;
	int r;

	while ((r = sock_recv(client->fd, bytes, sizeof bytes, &received, err)) == SOCK_WAIT) {
		left = until_ms - now_ms();
		if (left <= 0 || poll(&at, 1, (int)left) == 0) {
			cell_fail(err, CELL_DEADLINE_EXCEEDED, "nothing came");
			return NULL;
		}
	}
	if (r != 0) {
		if (r == SOCK_END)
			cell_fail(err, CELL_UNAVAILABLE, "cellcore closed the connection");
		return NULL;
	}
	packet = calloc(1, sizeof *packet);
	packet->packet = received;
	frame_decode(&packet->frame, bytes);
	memcpy(packet->body, bytes + FRAME_HEADER_SIZE, received.len - FRAME_HEADER_SIZE);
	return packet;
}

static void packet_keep(struct control_client *client, struct control_packet *packet)
{
	struct control_packet **at = &client->kept;

	while (*at)
		at = &(*at)->next;
	*at = packet;
}

static bool packet_is_answer(const struct control_packet *packet)
{
	return packet->frame.kind == FRAME_REPLY || packet->frame.kind == FRAME_ERROR;
}

struct control_packet *control_next(struct control_client *client, int timeout_ms)
{
	struct cell_error err = { 0 };
	struct control_packet **at;

	for (at = &client->kept; *at; at = &(*at)->next) {
		if (!packet_is_answer(*at)) {
			struct control_packet *packet = *at;

			*at = packet->next;
			packet->next = NULL;
			return packet;
		}
	}
	for (;;) {
		struct control_packet *packet =
			packet_receive(client, now_ms() + timeout_ms, &err);

		if (!packet || !packet_is_answer(packet))
			return packet;
		packet_keep(client, packet);
	}
}

int control_send(struct control_client *client, const char *name, const void *in,
		 uint64_t *ret_id, struct cell_error *err)
{
	const struct cell_method *method = control_method(name);
	uint8_t head[FRAME_HEADER_SIZE], body[16384];
	struct frame frame = { .kind = ret_id ? FRAME_REQUEST : FRAME_ONE_WAY,
			       .code = method->hash, .call_id = client->next_id++,
			       .timeout_ns = CONTROL_CLIENT_TIMEOUT_MS * 1000000ull };
	struct iovec parts[2] = { { head, sizeof head }, { body, 0 } };
	struct pollfd at = { .fd = client->fd, .events = POLLOUT };
	int r;

	parts[1].iov_len = (size_t)(method->in->encode(in, body) - body);
	frame.length = (uint32_t)parts[1].iov_len;
	frame_encode(&frame, head);
	while ((r = sock_send(client->fd, parts, 2, NULL, 0, err)) == SOCK_WAIT)
		if (poll(&at, 1, CONTROL_CLIENT_TIMEOUT_MS) == 0)
			return cell_fail(err, CELL_DEADLINE_EXCEEDED, "cellcore does not read");
	if (ret_id)
		*ret_id = frame.call_id;
	return r;
}

static struct control_packet *answer_wait(struct control_client *client, uint64_t id,
					  struct cell_error *err)
{
	long long until_ms = now_ms() + CONTROL_CLIENT_TIMEOUT_MS;

	for (struct control_packet **at = &client->kept; *at; at = &(*at)->next) {
		if (packet_is_answer(*at) && (*at)->frame.call_id == id) {
			struct control_packet *packet = *at;

			*at = packet->next;
			return packet;
		}
	}
	for (;;) {
		struct control_packet *packet = packet_receive(client, until_ms, err);

		if (!packet || (packet_is_answer(packet) && packet->frame.call_id == id))
			return packet;
		packet_keep(client, packet);
	}
}

int control_answer(struct control_client *client, uint64_t id, const char *name, void *out,
		   struct sock_packet *packet, struct cell_error *err)
{
	struct control_packet *answer = answer_wait(client, id, err);
	int r;

	if (!answer)
		return err->code;
	if (answer->frame.kind == FRAME_ERROR)
		r = cell_fail(err, cell_status_from_wire(answer->frame.code), "%.*s",
			      (int)answer->frame.length, (const char *)answer->body);
	else
		r = control_method(name)->out->decode(out, answer->body, answer->frame.length, 0,
						      &client->arena, err);
	if (packet)
		*packet = answer->packet;
	else
		sock_packet_close(&answer->packet);
	free(answer);
	return r;
}

int control_call(struct control_client *client, const char *method, const void *in, void *out,
		 struct sock_packet *packet, struct cell_error *err)
{
	uint64_t id;
	int r = control_send(client, method, in, &id, err);

	return r < 0 ? r : control_answer(client, id, method, out, packet, err);
}

int control_client_open(struct control_client *client, const char *rundir, struct cell_error *err)
{
	struct core_hello_request hello = { .version = 1, .program = "test", .as = "" };
	uint8_t key[AUTH_KEY_SIZE], mac[AUTH_MAC_SIZE];
	struct core_proof proof = { .n_mac = sizeof mac, .mac = mac };
	struct core_welcome welcome;
	char path[4200];
	int fd, r;

	snprintf(path, sizeof path, "%s/core.sock", rundir);
	r = sock_connect(&fd, path, SOCK_SEQPACKET, 1000, err);
	if (r < 0)
		return r;
	control_client_attach(client, fd);
	r = control_call(client, "Hello", &hello, &welcome, NULL, err);
	snprintf(path, sizeof path, "%s/key", rundir);
	if (r == 0)
		r = auth_key_load(key, path, err);
	if (r == 0 && welcome.n_nonce != AUTH_NONCE_SIZE)
		r = cell_fail(err, -EPROTO, "no nonce");
	if (r == 0) {
		auth_prove(mac, key, welcome.nonce);
		r = control_call(client, "Authenticate", &proof, &welcome, NULL, err);
	}
	if (r < 0)
		control_client_close(client);
	return r;
}
