/*
 * Control packets of somebody who means harm: a stranger, the owner, a cell, the resolver
 * (the first byte says which). Behind it come packets: two bytes of length, then the bytes.
 *
 * Two instances run, so that connects succeed; nothing is ever forked. After each packet
 * the kernel's books must balance, and all that comes back must be frames.
 */
#include "cellcore/control.h"
#include "cellcore/process.h"

#include <cell/bytes.h>
#include <cell/defaults.h>
#include <cell/log.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Packets of one input: more of them show nothing new. */
#define PACKETS_MAX 64

static const char *const names[] = { "bank", "nucleus" };
#define N_CELLS 2

struct world {
	struct daemon daemon;
	struct process *cells[N_CELLS];
	int cell_ends[N_CELLS]; /* the far ends of their control sockets */
	struct process *process;
	int end;
};

static void require(int claim)
{
	if (!claim)
		abort();
}

static struct process *join(struct world *world, struct kernel_instance *instance, int *ret_end)
{
	struct process *process = NULL;
	struct cell_error err = { 0 };
	int ends[2];

	require(sock_pair(ends, SOCK_SEQPACKET, &err) == 0);
	require(process_new(&world->daemon, ends[0], instance, world->daemon.uid, &process, &err) == 0);
	*ret_end = ends[1];
	return process;
}

/* The same for all inputs, so made once. */
static const struct cell_manifest *manifest_of(size_t i)
{
	static struct cell_manifest *manifests[N_CELLS];
	struct cell_error err = { 0 };
	char text[256];
	int n;

	if (manifests[i])
		return manifests[i];
	n = snprintf(text, sizeof text,
		     "[cell]\nname = %s\nexec = /bin/true\nmax-instances = 1\nrestart = never\n"
		     "[uses]\n%s = app\n", names[i], names[(i + 1) % N_CELLS]);
	require(cell_manifest_parse(&manifests[i], text, (size_t)n, "fuzz", &err) == 0);
	return manifests[i];
}

static void cell_run(struct world *world, size_t i)
{
	struct kernel *kernel = &world->daemon.kernel;
	struct kernel_instance *instance;
	struct kernel_cell *cell;
	unsigned work;

	cell = kernel_cell_add(kernel, names[i]);
	require(cell != NULL);
	cell->manifest = manifest_of(i);
	instance = kernel_instance_start(kernel, cell, NULL, daemon_now());
	require(kernel_next_work(kernel, daemon_now(), &work) == instance);
	world->cells[i] = join(world, instance, &world->cell_ends[i]);
	world->cells[i]->standing = PROCESS_WELCOME;
	instance->takes_streams = true;
	kernel_instance_ready(kernel, instance, daemon_now());
}

/* The upgrade that is always under way already: no path of an input is ever executed. */
static char never[16384];

static void world_new(struct world *world, uint8_t who)
{
	static struct ev_loop *loop;
	struct daemon *daemon = &world->daemon;

	if (!loop) {
		loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_POLL);
		(void)cell_log_set("err");
	}
	memset(world, 0, sizeof *world);
	daemon->loop = loop;
	conf_init(&daemon->conf);
	strcpy(daemon->conf.node, "fuzz");
	strcpy(daemon->conf.resolver, "nucleus");
	strcpy(daemon->rundir.path, "/nonexistent/run");
	strcpy(daemon->rundir.state, "/nonexistent/state");
	daemon->rundir.lock = -1;
	daemon->resume = (struct resume *)never;
	daemon_init(daemon);
	require(kernel_init(&daemon->kernel, &daemon->conf, NULL, daemon) == 0);
	for (size_t i = 0; i < N_CELLS; i++)
		cell_run(world, i);
	if (who % 4 < N_CELLS) {
		world->process = world->cells[who % 4];
		world->end = world->cell_ends[who % 4];
		return;
	}
	world->process = join(world, NULL, &world->end);
	if (who % 4 == 2)
		world->process->standing = PROCESS_WELCOME;
}

static void claim_books(const struct kernel *kernel)
{
	const struct quota *quota;
	uint64_t connections = 0;

	list_walk(quota, &kernel->quotas, struct quota, in_quotas)
		connections += quota->used[QUOTA_CONNECTIONS];
	require(connections == kernel->n_links);
	require(kernel->n_links <= 3 * CELL_QUOTA_CONNECTIONS);
}

/* Whatever comes out of cellcore is one frame a packet. */
static void drain(int end)
{
	uint8_t bytes[FRAME_HEADER_SIZE + CELL_CONTROL_BODY_MAX];
	struct sock_packet packet;
	struct cell_error err = { 0 };
	struct frame frame;

	while (sock_recv(end, bytes, sizeof bytes, &packet, &err) == 0) {
		require(packet.len >= FRAME_HEADER_SIZE);
		frame_decode(&frame, bytes);
		require(frame_check(&frame, &err) == 0);
		require(frame.length == packet.len - FRAME_HEADER_SIZE);
		sock_packet_close(&packet);
	}
}

static void turn(struct world *world)
{
	ev_run(world->daemon.loop, EVRUN_NOWAIT);
	claim_books(&world->daemon.kernel);
	drain(world->end);
	for (size_t i = 0; i < N_CELLS; i++)
		drain(world->cell_ends[i]);
}

static void world_free(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	struct kernel_end end = { .is_clean = true, .reason = "over" };
	struct kernel_instance *instance;
	struct process *process;

	list_walk(process, &daemon->processes, struct process, in_daemon)
		process_drop(process, "over");
	list_walk(instance, &daemon->kernel.instances, struct kernel_instance, in_all)
		if (instance->has_process)
			kernel_instance_ended(&daemon->kernel, instance, &end, daemon_now());
	daemon_settle(daemon);
	require(daemon->kernel.n_links == 0);
	require(list_is_empty(&daemon->kernel.quotas));
	require(daemon->n_clients == 0);
	ev_timer_stop(daemon->loop, &daemon->timer);
	ev_timer_stop(daemon->loop, &daemon->again);
	kernel_deinit(&daemon->kernel);
	cell_arena_deinit(&daemon->arena);
	for (size_t i = 0; i < N_CELLS; i++)
		(void)close(world->cell_ends[i]);
	if (world->end != world->cell_ends[0] && world->end != world->cell_ends[1])
		(void)close(world->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cell_reader reader = cell_reader(data, size);
	struct cell_error err = { 0 };
	struct world world;

	world_new(&world, cell_read_u8(&reader));
	for (int n = 0; n < PACKETS_MAX && reader.at < reader.end; n++) {
		size_t len = cell_read_u16(&reader), left = (size_t)(reader.end - reader.at);
		struct iovec part;

		if (reader.failed)
			break;
		part.iov_len = len < left ? len : left;
		part.iov_base = (void *)(uintptr_t)cell_read_bytes(&reader, part.iov_len);
		if (part.iov_len == 0 || sock_send(world.end, &part, 1, NULL, 0, &err) != 0)
			continue;
		turn(&world);
	}
	world_free(&world);
	return 0;
}
