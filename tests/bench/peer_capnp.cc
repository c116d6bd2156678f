// Cap'n Proto RPC between two processes over a socket pair; its own encoding and loop.

#include "bench.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/exception.h>

#include "bench.capnp.h"

namespace
{

struct CapnpPeer {
	kj::AsyncIoContext io;
	kj::Own<kj::AsyncIoStream> stream;
	kj::Own<capnp::TwoPartyClient> client;
	Bench::Client bench;
};

class BenchServer final : public Bench::Server
{
      protected:
	kj::Promise<void> echo(EchoContext context) override
	{
		auto request = context.getParams();
		char reply[BENCH_REPLY_BYTES + 1];

		if (request.getText().size() != BENCH_TEXT_BYTES)
			bench_die("a request's text has %zu bytes", request.getText().size());
		bench_answer(reply, request.getText().cStr(), request.getNumber());
		context.getResults().setText(reply);
		return kj::READY_NOW;
	}

	kj::Promise<void> store(StoreContext context) override
	{
		auto data = context.getParams().getData();

		bench_check_blob(data.begin(), data.size());
		context.getResults().setSizeBytes(data.size());
		return kj::READY_NOW;
	}
};

void capnp_prepare(struct bench_pair *pair)
{
	static int fds[2]; // client, server

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		bench_die("socketpair: %s", strerror(errno));
	pair->state = fds;
}

// The loop of kj belongs to a thread, so it is made after the fork, once in each process.
kj::Own<kj::AsyncIoStream> stream_open(kj::AsyncIoContext &io, struct bench_pair *pair,
				       bool is_server)
{
	const int *fds = static_cast<const int *>(pair->state);

	(void)close(fds[!is_server]);
	return io.lowLevelProvider->wrapSocketFd(fds[is_server]);
}

void capnp_serve(struct bench_pair *pair)
{
	auto io = kj::setupAsyncIo();
	auto stream = stream_open(io, pair, true);
	capnp::TwoPartyServer server(kj::heap<BenchServer>());

	bench_ready(pair);
	server.accept(*stream).wait(io.waitScope);
}

void capnp_connect(struct bench_pair *pair)
{
	auto io = kj::setupAsyncIo();
	auto stream = stream_open(io, pair, false);
	auto client = kj::heap<capnp::TwoPartyClient>(*stream);
	Bench::Client bench = client->bootstrap().castAs<Bench>();

	pair->state =
		new CapnpPeer{ kj::mv(io), kj::mv(stream), kj::mv(client), kj::mv(bench) };
}

CapnpPeer *peer_of(struct bench_pair *pair)
{
	return static_cast<CapnpPeer *>(pair->state);
}

kj::Promise<void> call_start(CapnpPeer *peer, uint64_t number)
{
	auto request = peer->bench.echoRequest();

	request.setText(BENCH_TEXT);
	request.setNumber(number);
	return request.send().then([number](capnp::Response<Bench::EchoResults> &&reply) {
		bench_check(reply.getText().cStr(), reply.getText().size(), number);
	});
}

void capnp_call(struct bench_pair *pair, uint64_t number)
{
	CapnpPeer *peer = peer_of(pair);

	call_start(peer, number).wait(peer->io.waitScope);
}

void capnp_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	CapnpPeer *peer = peer_of(pair);

	for (size_t done = 0; done < n_calls; done += BENCH_WINDOW) {
		auto calls = kj::heapArrayBuilder<kj::Promise<void>>(BENCH_WINDOW);

		for (size_t i = 0; i < BENCH_WINDOW; i++)
			calls.add(call_start(peer, first + done + i));
		kj::joinPromises(calls.finish()).wait(peer->io.waitScope);
	}
}

void capnp_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	CapnpPeer *peer = peer_of(pair);
	auto request = peer->bench.storeRequest();

	request.setData(kj::arrayPtr(data, size));
	if (request.send().wait(peer->io.waitScope).getSizeBytes() != size)
		bench_die("the server did not get all %zu bytes", size);
}

const struct bench_variant variants[] = {
	{ "capnp", 0, capnp_prepare, capnp_serve, capnp_connect, capnp_call, capnp_pipeline,
	  capnp_store },
};

} // namespace

int main(int argc, char **argv)
{
	auto error = kj::runCatchingExceptions([&]() {
		(void)bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
	});

	KJ_IF_MAYBE (exception, error)
		bench_die("%s", exception->getDescription().cStr());
	return 0;
}
