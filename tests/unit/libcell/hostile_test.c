/*
 * What a hostile peer costs: its own connection, and nothing else. Lies on rings and
 * streams by the hundred thousand, from a fixed seed; then some by hand.
 */
#include "duo.h"
#include "liar.h"
#include "trial.h"

#include "libcell/frame.h"
#include "libcell/ring.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED 0x5eed0fce11u
#define SCRIPTS 60000
#define STEPS_MAX 32
/* A sanitizer takes ten times as long for each. */
#if defined(__SANITIZE_ADDRESS__)
#define SCRIPTS_RUN (SCRIPTS / 8)
#else
#define SCRIPTS_RUN SCRIPTS
#endif

static uint64_t state = SEED;

static uint64_t draw(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

struct script {
	uint8_t bytes[LIAR_SCRIPT_MAX];
	size_t len;
};

static void put(struct script *script, uint64_t byte)
{
	if (script->len < sizeof script->bytes)
		script->bytes[script->len++] = (uint8_t)byte;
}

static void put_value(struct script *script)
{
	static const uint64_t telling[] = { 0, 1, 7, 8, 32, 65535, 65536, 65544, 1u << 31, UINT32_MAX,
					    1ull << 63, UINT64_MAX, UINT64_MAX - 7 };
	uint64_t value = draw() % 4 ? telling[draw() % (sizeof telling / sizeof *telling)] : draw();

	for (unsigned i = 0; i < 8; i++)
		put(script, value >> (8 * i));
}

static void put_step(struct script *script)
{
	enum liar_step step = draw() % LIAR_N_STEPS;
	uint64_t n;

	put(script, step);
	switch (step) {
	case LIAR_FRAME:
		put(script, draw() % 12);           /* kind */
		put(script, draw() % 3 ? 0 : draw()); /* flags */
		put(script, draw() % 4 ? 0 : draw()); /* channel */
		put(script, draw() % 8);            /* call id */
		put(script, draw() % 20);           /* method */
		n = draw() % 4 ? 5 : draw() % 200;
		put(script, n);
		put(script, draw());                /* total, if there is more; else a byte of body */
		for (uint64_t i = 0; i < n; i++)
			put(script, n == 5 ? (uint8_t)"\x0a\x03" "abc"[i] : draw());
		break;
	case LIAR_RAW:
		n = draw() % 80;
		put(script, n);
		for (uint64_t i = 0; i < n; i++)
			put(script, draw() % 3 ? 0 : draw());
		break;
	case LIAR_POKE:
		/* Near the beginning, where the first frames are, or anywhere. */
		n = draw() % 2 ? draw() % 512 : draw();
		for (unsigned i = 0; i < 8; i++)
			put(script, n >> (8 * i));
		put(script, draw());
		break;
	case LIAR_INDEX:
		put(script, draw());
		put_value(script);
		break;
	case LIAR_LIFELINE:
		for (unsigned i = 0; i < 17; i++)
			put(script, draw() % 2 ? draw() % 16 : 0);
		break;
	default:
		break;
	}
}

START_TEST(a_million_lies_cost_only_the_liar)
{
	uint64_t steps = 0;

	for (unsigned i = 0; i < SCRIPTS_RUN; i++) {
		struct script script = { .len = 0 };
		unsigned n = 1 + (unsigned)(draw() % STEPS_MAX);

		put(&script, (draw() % 4 ? LIAR_ON_RING : 0) | (draw() % 8 ? LIAR_SAYS_HELLO : 0) |
				     (draw() % 3 ? 0 : LIAR_IS_SERVER));
		for (unsigned k = 0; k < n; k++)
			put_step(&script);
		put(&script, LIAR_TURN);
		liar_run(script.bytes, script.len);
		steps += n;
	}
	ck_assert_uint_ge(steps, SCRIPTS_RUN * 15ull);
}
END_TEST

/* ---- on a stream, by hand ------------------------------------------------------------------ */

static void hello_put(uint8_t out[static FRAME_HEADER_SIZE + FRAME_HELLO_SIZE])
{
	frame_encode(&(struct frame){ .kind = FRAME_HELLO, .length = FRAME_HELLO_SIZE,
				      .total = FRAME_HELLO_SIZE }, out);
	frame_hello_encode(&(struct frame_hello){ .version = FRAME_VERSION, .message_max = 1 << 20,
						  .calls_max = 16, .window = 1 << 16 },
			   out + FRAME_HEADER_SIZE);
}

/* The server hangs up within a second; what it still said is thrown away. */
static void must_hang_up(int fd)
{
	char bytes[4096];
	ssize_t n;

	do {
		struct pollfd at = { .fd = fd, .events = POLLIN };

		ck_assert_msg(poll(&at, 1, 5000) == 1, "the server neither answers nor hangs up");
		n = read(fd, bytes, sizeof bytes);
	} while (n > 0);
}

static void must_have_survived(struct duo_raw *raw)
{
	int status = duo_stop_raw(raw);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "server ended with %#x", status);
}

static void say_and_lose(const void *bytes, size_t len, bool says_hello)
{
	uint8_t hello[FRAME_HEADER_SIZE + FRAME_HELLO_SIZE];
	struct duo_raw raw;

	duo_start_raw(&raw, DUO_STREAM);
	hello_put(hello);
	if (says_hello)
		ck_assert_int_eq(write(raw.stream, hello, sizeof hello), sizeof hello);
	ck_assert_int_eq(send(raw.stream, bytes, len, MSG_NOSIGNAL), len);
	must_hang_up(raw.stream);
	must_have_survived(&raw);
}

START_TEST(garbage_is_hung_up_on)
{
	uint8_t garbage[4096];

	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof garbage; i++)
			garbage[i] = (uint8_t)draw();
		say_and_lose(garbage, sizeof garbage, round % 2);
	}
	say_and_lose("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35, false);
}
END_TEST

START_TEST(length_of_4_gib_is_hung_up_on)
{
	uint8_t header[FRAME_HEADER_SIZE];

	frame_encode(&(struct frame){ .kind = FRAME_REQUEST, .call_id = 1, .timeout_ns = 1000 }, header);
	memset(header, 0xff, 4);
	say_and_lose(header, sizeof header, true);
}
END_TEST

START_TEST(half_a_frame_and_the_end)
{
	uint8_t bytes[2 * FRAME_HEADER_SIZE + FRAME_HELLO_SIZE];
	struct duo_raw raw;

	hello_put(bytes);
	frame_encode(&(struct frame){ .kind = FRAME_REQUEST, .call_id = 1, .timeout_ns = 1000,
				      .length = 100, .total = 100 },
		     bytes + FRAME_HEADER_SIZE + FRAME_HELLO_SIZE);
	for (size_t len = 0; len <= sizeof bytes; len += 7) {
		duo_start_raw(&raw, DUO_STREAM);
		if (len)
			ck_assert_int_eq(write(raw.stream, bytes, len), len);
		ck_assert_int_eq(shutdown(raw.stream, SHUT_WR), 0);
		must_hang_up(raw.stream);
		must_have_survived(&raw);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile");
	TCase *tc = tcase_create("peer");
	SRunner *runner;
	int failed;

	(void)setenv("CELL_LOG", "err", 1);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_million_lies_cost_only_the_liar);
	tcase_add_test(tc, garbage_is_hung_up_on);
	tcase_add_test(tc, length_of_4_gib_is_hung_up_on);
	tcase_add_test(tc, half_a_frame_and_the_end);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
