// gRPC in C++ over a Unix socket: synchronous calls, and one stream that carries many.

#include "bench.h"

#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "bench.grpc.pb.h"
#include "bench_stream.grpc.pb.h"

namespace
{

using cell::bench::v1::Bench;
using cell::bench::v1::BenchStream;
using cell::bench::v1::Blob;
using cell::bench::v1::Reply;
using cell::bench::v1::Request;
using cell::bench::v1::Stored;

struct GrpcPeer {
	std::unique_ptr<Bench::Stub> bench;
	std::unique_ptr<BenchStream::Stub> streams;
	std::unique_ptr<grpc::ClientContext> context;
	std::unique_ptr<grpc::ClientReaderWriter<Request, Reply>> stream;
};

std::string address_of(const struct bench_pair *pair)
{
	return "unix:" + std::string(pair->dir) + "/grpc";
}

// ---- Server ------------------------------------------------------------------------

void answer(const Request &request, Reply *reply)
{
	char text[BENCH_REPLY_BYTES + 1];

	if (request.text().size() != BENCH_TEXT_BYTES)
		bench_die("a request's text has %zu bytes", request.text().size());
	bench_answer(text, request.text().data(), request.number());
	reply->set_text(text, BENCH_REPLY_BYTES);
}

class BenchService final : public Bench::Service
{
	grpc::Status Echo(grpc::ServerContext *, const Request *request,
			  Reply *reply) override
	{
		answer(*request, reply);
		return grpc::Status::OK;
	}

	grpc::Status Store(grpc::ServerContext *, const Blob *blob, Stored *stored) override
	{
		bench_check_blob(reinterpret_cast<const uint8_t *>(blob->data().data()),
				 blob->data().size());
		stored->set_size_bytes(blob->data().size());
		return grpc::Status::OK;
	}
};

class StreamService final : public BenchStream::Service
{
	grpc::Status Echo(grpc::ServerContext *,
			  grpc::ServerReaderWriter<Reply, Request> *stream) override
	{
		Request request;
		Reply reply;

		while (stream->Read(&request)) {
			answer(request, &reply);
			if (!stream->Write(reply))
				break;
		}
		return grpc::Status::OK;
	}
};

void grpc_serve(struct bench_pair *pair)
{
	BenchService bench;
	StreamService streams;
	grpc::ServerBuilder builder;

	builder.AddListeningPort(address_of(pair), grpc::InsecureServerCredentials());
	builder.RegisterService(&bench);
	builder.RegisterService(&streams);
	std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	if (!server)
		bench_die("cannot serve on %s", address_of(pair).c_str());
	bench_ready(pair);
	server->Wait();
}

// ---- Client ------------------------------------------------------------------------

GrpcPeer *peer_of(struct bench_pair *pair)
{
	return static_cast<GrpcPeer *>(pair->state);
}

void check(const grpc::Status &status, const char *what)
{
	if (!status.ok())
		bench_die("%s: %s", what, status.error_message().c_str());
}

void grpc_connect(struct bench_pair *pair)
{
	auto channel =
		grpc::CreateChannel(address_of(pair), grpc::InsecureChannelCredentials());
	GrpcPeer *peer = new GrpcPeer;

	peer->bench = Bench::NewStub(channel);
	peer->streams = BenchStream::NewStub(channel);
	pair->state = peer;
}

void stream_connect(struct bench_pair *pair)
{
	GrpcPeer *peer;

	grpc_connect(pair);
	peer = peer_of(pair);
	peer->context = std::make_unique<grpc::ClientContext>();
	peer->stream = peer->streams->Echo(peer->context.get());
}

void request_fill(Request *request, uint64_t number)
{
	request->set_text(BENCH_TEXT, BENCH_TEXT_BYTES);
	request->set_number(number);
}

void grpc_call(struct bench_pair *pair, uint64_t number)
{
	grpc::ClientContext context;
	Request request;
	Reply reply;

	request_fill(&request, number);
	check(peer_of(pair)->bench->Echo(&context, request, &reply), "calling");
	bench_check(reply.text().data(), reply.text().size(), number);
}

void grpc_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	grpc::ClientContext context;
	Blob blob;
	Stored stored;

	blob.set_data(data, size);
	check(peer_of(pair)->bench->Store(&context, blob, &stored), "storing");
	if (stored.size_bytes() != size)
		bench_die("the server did not get all %zu bytes", size);
}

void stream_send(GrpcPeer *peer, uint64_t number)
{
	Request request;

	request_fill(&request, number);
	if (!peer->stream->Write(request))
		bench_die("the stream broke: %s",
			  peer->stream->Finish().error_message().c_str());
}

void stream_receive(GrpcPeer *peer, uint64_t number)
{
	Reply reply;

	if (!peer->stream->Read(&reply))
		bench_die("the stream broke: %s",
			  peer->stream->Finish().error_message().c_str());
	bench_check(reply.text().data(), reply.text().size(), number);
}

void stream_call(struct bench_pair *pair, uint64_t number)
{
	stream_send(peer_of(pair), number);
	stream_receive(peer_of(pair), number);
}

void stream_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	GrpcPeer *peer = peer_of(pair);
	size_t sent = 0;

	for (size_t answered = 0; answered < n_calls; answered++) {
		while (sent < n_calls && sent - answered < BENCH_WINDOW)
			stream_send(peer, first + sent++);
		stream_receive(peer, first + answered);
	}
}

const struct bench_variant variants[] = {
	{ "grpc-sync", 0, nullptr, grpc_serve, grpc_connect, grpc_call, nullptr, grpc_store },
	{ "grpc-stream", 0, nullptr, grpc_serve, stream_connect, stream_call, stream_pipeline,
	  nullptr },
};

} // namespace

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
