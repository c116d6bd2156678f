#include "codec.h"

#include <stdlib.h>

#include "bench.pb-c.h"

static void *arena_alloc(void *data, size_t size)
{
	struct codec *codec = data;
	size_t start = codec->used;

	size = (size + 15) & ~(size_t)15;
	if (size > codec->size - start)
		return NULL;
	codec->used = start + size;
	return codec->memory + start;
}

static void arena_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

static void *heap_alloc(void *data, size_t size)
{
	(void)data;
	return malloc(size);
}

static void heap_free(void *data, void *pointer)
{
	(void)data;
	free(pointer);
}

void codec_init(struct codec *codec)
{
	/* A message, its data, and the reply to it. */
	size_t size = 2 * CODEC_BLOB_MAX;

	*codec = (struct codec){
		.arena = { arena_alloc, arena_free, codec },
		.memory = malloc(size),
		.size = size,
	};
	if (!codec->memory)
		bench_die("no memory for an arena of %zu bytes", size);
}

void codec_init_malloc(struct codec *codec)
{
	*codec = (struct codec){ .arena = { heap_alloc, heap_free, codec } };
}

/* What is in the arena goes when the next call empties it. */
static void message_drop(struct codec *codec, ProtobufCMessage *message)
{
	if (!codec->memory)
		protobuf_c_message_free_unpacked(message, &codec->arena);
}

size_t codec_request(uint8_t out[CODEC_MESSAGE_MAX], uint64_t number)
{
	Cell__Bench__V1__Request request = CELL__BENCH__V1__REQUEST__INIT;
	char text[] = BENCH_TEXT;

	request.text = text;
	request.number = number;
	return cell__bench__v1__request__pack(&request, out);
}

void codec_check_reply(struct codec *codec, const uint8_t *bytes, size_t n, uint64_t number)
{
	Cell__Bench__V1__Reply *reply;

	codec->used = 0;
	reply = cell__bench__v1__reply__unpack(&codec->arena, n, bytes);
	if (!reply)
		bench_die("reply to call %llu does not unpack", (unsigned long long)number);
	bench_check(reply->text, strlen(reply->text), number);
	message_drop(codec, &reply->base);
}

size_t codec_blob(uint8_t *out, const uint8_t *data, size_t size)
{
	Cell__Bench__V1__Blob blob = CELL__BENCH__V1__BLOB__INIT;

	blob.data = (ProtobufCBinaryData){ size, (uint8_t *)data };
	return cell__bench__v1__blob__pack(&blob, out);
}

size_t codec_blob_into(ProtobufCBuffer *sink, const uint8_t *data, size_t size)
{
	Cell__Bench__V1__Blob blob = CELL__BENCH__V1__BLOB__INIT;

	blob.data = (ProtobufCBinaryData){ size, (uint8_t *)data };
	return cell__bench__v1__blob__pack_to_buffer(&blob, sink);
}

void codec_check_stored(struct codec *codec, const uint8_t *bytes, size_t n, size_t size)
{
	Cell__Bench__V1__Stored *stored;

	codec->used = 0;
	stored = cell__bench__v1__stored__unpack(&codec->arena, n, bytes);
	if (!stored || stored->size_bytes != size)
		bench_die("the server did not get all %zu bytes", size);
	message_drop(codec, &stored->base);
}

static size_t serve_echo(struct codec *codec, const uint8_t *bytes, size_t n, uint8_t *out)
{
	Cell__Bench__V1__Request *request;
	Cell__Bench__V1__Reply reply = CELL__BENCH__V1__REPLY__INIT;
	char text[BENCH_REPLY_BYTES + 1];
	size_t packed;

	request = cell__bench__v1__request__unpack(&codec->arena, n, bytes);
	if (!request || strlen(request->text) != BENCH_TEXT_BYTES)
		bench_die("request of %zu bytes does not unpack", n);
	bench_answer(text, request->text, request->number);
	reply.text = text;
	packed = cell__bench__v1__reply__pack(&reply, out);
	message_drop(codec, &request->base);
	return packed;
}

size_t codec_stored(uint8_t out[CODEC_MESSAGE_MAX], size_t size)
{
	Cell__Bench__V1__Stored stored = CELL__BENCH__V1__STORED__INIT;

	stored.size_bytes = size;
	return cell__bench__v1__stored__pack(&stored, out);
}

void codec_blob_view(const uint8_t *bytes, size_t n, const uint8_t **ret_data,
		     size_t *ret_size)
{
	size_t size = 0;
	size_t at = 1;

	/* Field 1, length-delimited; then the length, seven bits a byte. */
	if (n < 2 || bytes[0] != (1 << 3 | 2))
		bench_die("blob of %zu bytes has no data field", n);
	for (unsigned shift = 0; at < n && shift < 35; shift += 7) {
		size |= (size_t)(bytes[at] & 0x7f) << shift;
		if (!(bytes[at++] & 0x80))
			break;
	}
	if (size != n - at)
		bench_die("blob of %zu bytes says that it holds %zu", n, size);
	*ret_data = bytes + at;
	*ret_size = size;
}

static size_t serve_store(struct codec *codec, const uint8_t *bytes, size_t n, uint8_t *out)
{
	Cell__Bench__V1__Blob *blob;
	size_t packed;

	blob = cell__bench__v1__blob__unpack(&codec->arena, n, bytes);
	if (!blob)
		bench_die("blob of %zu bytes does not unpack", n);
	bench_check_blob(blob->data.data, blob->data.len);
	packed = codec_stored(out, blob->data.len);
	message_drop(codec, &blob->base);
	return packed;
}

size_t codec_serve(struct codec *codec, enum codec_method method, const uint8_t *bytes,
		   size_t n, uint8_t out[CODEC_MESSAGE_MAX])
{
	codec->used = 0;
	return method == CODEC_ECHO ? serve_echo(codec, bytes, n, out)
				    : serve_store(codec, bytes, n, out);
}
