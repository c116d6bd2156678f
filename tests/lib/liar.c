#include "liar.h"

#include "libcell/callstate.h"
#include "libcell/clock.h"
#include "libcell/ring.h"
#include "libcell/sock.h"
#include "trial.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct cell_call *server;
static struct trial trial;

static uint8_t take(const uint8_t **at, const uint8_t *end)
{
	return *at < end ? *(*at)++ : 0;
}

static uint64_t take_u64(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value |= (uint64_t)take(at, end) << (8 * i);
	return value;
}

static int fuzz_sum(struct cell_call *call, void *self, struct trial_blob_source *in,
		    struct trial_count *out)
{
	return trial_handlers.sum(cell_within_ms(call, 1000), self, in, out);
}

static struct trial_handlers handlers;

static void start_server(void)
{
	(void)setenv("CELL_LOG", "err,server=err", 1);
	(void)setenv("CELL_WAKE", "sleep", 1);
	server = cell_open("trial");
	handlers = (struct trial_handlers){
		.echo = trial_handlers.echo, .fail = trial_handlers.fail,
		.note = trial_handlers.note, .sum = fuzz_sum, .chat = trial_handlers.chat,
		.many = trial_handlers.many, .digest = trial_handlers.digest,
	};
	if (!server->root->rt || cell_serve(server, &trial_service, &handlers, &trial) < 0)
		abort();
}

struct rounds {
	unsigned left;
	struct waiter *waiter;
};

static void one_round(struct cell_call *call, void *userdata)
{
	struct rounds *rounds = userdata;

	if (--rounds->left == 0)
		runtime_wake(call->root->rt, rounds->waiter);
	else if (cell_spawn_task(server, one_round, rounds) < 0)
		abort();
}

/* Let the server's loop turn a few times. */
static void turn_server(unsigned turns)
{
	struct rounds rounds = { .left = turns };

	if (cell_spawn_task(server, one_round, &rounds) < 0)
		abort();
	while (rounds.left)
		if (runtime_wait(server->root->rt, server->root, &rounds.waiter, UINT64_MAX) < 0)
			abort();
}

struct peer {
	int memfd, own_bell, server_bell, lifeline, stream;
	uint8_t *shared;
	struct ring ring;
	bool is_ring;
};

static void put(struct peer *peer, const uint8_t *bytes, size_t len)
{
	if (!peer->is_ring) {
		(void)send(peer->stream, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	memcpy(peer->ring.tx + (peer->ring.tx_tail & (RING_SIZE - 1)), bytes, len);
	peer->ring.tx_tail += (len + 7) & ~(size_t)7;
	if (ring_publish(&peer->ring))
		(void)!write(peer->server_bell, &(uint64_t){ 1 }, 8);
}

static void step_frame(struct peer *peer, const uint8_t **at, const uint8_t *end)
{
	uint8_t bytes[FRAME_HEADER_SIZE + 256];
	struct frame frame = { .kind = take(at, end), .flags = take(at, end),
			       .channel = take(at, end) & 3, .call_id = take(at, end) };
	uint8_t method = take(at, end), len = take(at, end);

	frame.kind = frame.kind % 12;
	frame.flags %= 32;
	frame.code = method < trial_service.n_methods ? trial_service.methods[method].hash
						      : (uint32_t)method << 4;
	frame.length = len;
	frame.total = len + (frame.flags & FRAME_FLAG_MORE ? take(at, end) : 0);
	frame.timeout_ns = method & 1 ? 1000000 : 0;
	for (unsigned i = 0; i < len; i++)
		bytes[FRAME_HEADER_SIZE + i] = take(at, end);
	frame_encode(&frame, bytes);
	put(peer, bytes, FRAME_HEADER_SIZE + len);
}

static void step_raw(struct peer *peer, const uint8_t **at, const uint8_t *end)
{
	uint8_t bytes[256];
	uint8_t len = take(at, end);

	for (unsigned i = 0; i < len; i++)
		bytes[i] = take(at, end);
	put(peer, bytes, len);
}

static void step_lifeline(struct peer *peer, const uint8_t **at, const uint8_t *end)
{
	uint8_t bytes[16], kind = take(at, end);
	struct iovec part = { .iov_base = bytes, .iov_len = kind & 1 ? 16 : kind & 15 };
	int fd = -1;

	if (!peer->is_ring)
		return;
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = take(at, end);
	if (kind & 2) {
		fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		(void)!ftruncate(fd, kind);
		if (kind & 4)
			(void)!write(fd, bytes, sizeof bytes);
		if (kind & 8)
			(void)fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
		memset(bytes + 8, 0, 8);
		bytes[8] = kind & 4 && kind < 16 ? 16 : kind;
	}
	if (part.iov_len)
		(void)sock_send(peer->lifeline, &part, 1, &fd, fd >= 0, NULL);
	if (fd >= 0)
		(void)close(fd);
}

/* An index or flag of either side becomes a value, or that much more than it was. */
static void step_index(struct peer *peer, const uint8_t **at, const uint8_t *end)
{
	uint8_t which = take(at, end);
	uint64_t value = take_u64(at, end), old;
	uint8_t *index;

	if (!peer->is_ring)
		return;
	index = peer->shared + 2 * RING_SIZE + which % 6 * RING_LINE + which / 6 % 2 * 8;
	memcpy(&old, index, sizeof old);
	if (which & 0x80)
		value += old;
	memcpy(index, &value, sizeof value);
}

static void run_steps(struct peer *peer, const uint8_t *at, const uint8_t *end)
{
	while (at < end) {
		switch (take(&at, end) % LIAR_N_STEPS) {
		case LIAR_FRAME:
			step_frame(peer, &at, end);
			break;
		case LIAR_RAW:
			step_raw(peer, &at, end);
			break;
		case LIAR_POKE: {
			uint64_t where = take_u64(&at, end) % RING_MEMFD_SIZE;

			if (peer->is_ring)
				peer->shared[where] = take(&at, end);
			break;
		}
		case LIAR_INDEX:
			step_index(peer, &at, end);
			break;
		case LIAR_LIFELINE:
			step_lifeline(peer, &at, end);
			break;
		default:
			if (peer->is_ring)
				(void)!write(peer->server_bell, &(uint64_t){ 1 }, 8);
			turn_server(2);
			break;
		}
	}
}

/* What we ask of a lying server: a call of every shape, on their way at the same time. */
struct asked {
	struct cell_future calls[3];
	struct trial_many_cursor many;
	struct trial_sum_stream sum;
	struct trial_chat_stream chat;
};

static void ask(struct asked *asked, struct cell_call *call)
{
	static struct cell_ref ref = CELL_REF("trial");
	const struct trial_blob blob = { .n_data = 5, .data = (const uint8_t *)"hello" };

	for (unsigned i = 0; i < 3; i++)
		asked->calls[i] = cell_invoke_start(call, &ref, &trial_service.methods[i ? 12 : 0], &blob);
	asked->many = trial_many(call, &(struct trial_many_request){ .count = 3, .size = 10 });
	asked->sum = trial_sum_open(call);
	(void)trial_sum_send(&asked->sum, &blob);
	asked->chat = trial_chat_open(call);
	(void)trial_chat_send(&asked->chat, &blob);
}

/* The connection is broken by now: everything ends without waiting. */
static void collect(struct asked *asked)
{
	struct trial_count count;
	struct trial_blob blob;

	for (unsigned i = 0; i < 3; i++)
		(void)cell_invoke_wait(&asked->calls[i], i ? (void *)&count : (void *)&blob);
	while (trial_many_next(&asked->many))
		;
	(void)trial_many_end(&asked->many);
	(void)trial_sum_close(&asked->sum, &count);
	while (trial_chat_recv(&asked->chat))
		;
	(void)trial_chat_close(&asked->chat);
}

static struct connection *connect_peer(struct peer *peer, bool is_ring, bool is_server)
{
	struct cell_peer who = { .cell = "fuzz", .node = "", .principal = "" };
	struct connection *conn;
	struct cell_error err;
	struct link link;
	int ends[2];

	*peer = (struct peer){ .is_ring = is_ring, .memfd = -1, .stream = -1, .lifeline = -1 };
	if (sock_pair(ends, is_ring ? SOCK_SEQPACKET : SOCK_STREAM, &err) < 0)
		abort();
	if (is_ring) {
		if (ring_create(&peer->memfd, &err) < 0 || ring_map(&peer->ring, peer->memfd, 0, &err) < 0)
			abort();
		peer->shared = mmap(NULL, RING_MEMFD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				    peer->memfd, 0);
		peer->own_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		peer->server_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		peer->lifeline = ends[0];
		if (link_open_ring(&link, peer->memfd, 1, dup(peer->server_bell), dup(peer->own_bell),
				   ends[1], &err) < 0)
			abort();
	} else {
		peer->stream = ends[0];
		if (link_open_socket(&link, LINK_STREAM, ends[1], &err) < 0)
			abort();
	}
	if (connection_new(&conn, server->root->rt, &link,
			   is_server ? CONNECTION_CLIENT : CONNECTION_SERVER, &who, &err) < 0)
		abort();
	memset(conn->channels, 0xff, sizeof conn->channels);
	conn->channels[1] = 0;
	connection_ref(conn);
	return conn;
}

static void disconnect_peer(struct peer *peer)
{
	if (peer->is_ring) {
		ring_unmap(&peer->ring);
		(void)munmap(peer->shared, RING_MEMFD_SIZE);
		(void)close(peer->memfd);
		(void)close(peer->own_bell);
		(void)close(peer->server_bell);
		(void)close(peer->lifeline);
	} else {
		(void)close(peer->stream);
	}
}

void liar_run(const uint8_t *data, size_t size)
{
	struct cell_arena_mark mark;
	struct connection *conn;
	struct asked asked;
	struct peer peer;

	if (size < 1 || size > LIAR_SCRIPT_MAX)
		return;
	if (!server)
		start_server();
	mark = cell_mark(server);
	conn = connect_peer(&peer, data[0] & LIAR_ON_RING, data[0] & LIAR_IS_SERVER);
	if (data[0] & LIAR_IS_SERVER) {
		if (runtime_set_target(server->root->rt, "trial", conn) < 0)
			abort();
		ask(&asked, server);
		turn_server(1);
	}
	if (data[0] & LIAR_SAYS_HELLO) {
		uint8_t hello[FRAME_HEADER_SIZE + FRAME_HELLO_SIZE];

		frame_encode(&(struct frame){ .kind = FRAME_HELLO, .length = FRAME_HELLO_SIZE,
					      .total = FRAME_HELLO_SIZE }, hello);
		frame_hello_encode(&(struct frame_hello){
			.version = FRAME_VERSION, .message_max = 1 << 20, .calls_max = 1024,
			.window = 1 << 16, .payload_max = 1 << 20 }, hello + FRAME_HEADER_SIZE);
		put(&peer, hello, sizeof hello);
	}
	run_steps(&peer, data + 1, data + size);
	turn_server(2);
	disconnect_peer(&peer);
	turn_server(2);
	/* Its peer is gone: so must be the connection, its calls and what they held. */
	connection_break(conn, CELL_CANCELLED, "end of the script");
	if (data[0] & LIAR_IS_SERVER)
		collect(&asked);
	connection_unref(conn);
	for (int i = 0; i < 100 && server->root->rt->n_serving; i++)
		turn_server(1);
	if (server->root->rt->n_serving || !list_is_empty(&server->root->rt->connections))
		abort();
	turn_server(1);
	cell_rewind(server, mark);
}
