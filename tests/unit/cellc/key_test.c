#include "cellc/key.h"

#include "said.h"

#include <stdlib.h>

static struct cell_arena arena;

static void setup(void)
{
	cell_arena_init(&arena, 0);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

/* A request, two providers and two states, any of which a test changes. */
struct parts {
	struct macro_declaration declaration;
	struct macro_attribute attribute;
	struct macro_target target;
	struct macro_kept kept;
	struct macro_kept_of kept_of;
	struct macro_plan_request request;
	const char *off[1];
	struct key_provider providers[2];
	struct key_state states[2];
};

static void fill(struct parts *p)
{
	*p = (struct parts){
		.declaration = { .place = MACRO_PLACE_STRUCT, .name = "account", .doc = "" },
		.attribute = { .id = 1, .ns = "db", .name = "table" },
		.target = { .triple = "x86_64-linux-gnu", .pointer_bytes = 8 },
		.kept = { "field id", "1" },
		.off = { "telemetry" },
		.providers = { { "db", "celldb", "local", "aa" }, { "auth", "auth", "local", "bb" } },
		.states = { { "table:account", "11" }, { "role:teller", "22" } },
	};
	p->kept_of = (struct macro_kept_of){ .ns = "db", .n_kept = 1, .kept = &p->kept };
	p->request = (struct macro_plan_request){
		.declaration = &p->declaration, .n_attributes = 1, .attributes = &p->attribute,
		.target = &p->target, .n_kept = 1, .kept = &p->kept_of, .n_features_off = 1,
		.features_off = p->off, .program = "bank",
	};
}

static const char *key(struct parts *p)
{
	return key_make(&p->request, p->providers, 2, p->states, 2, &arena);
}

START_TEST(equal_parts_give_equal_keys)
{
	struct parts a, b;

	fill(&a);
	fill(&b);
	ck_assert_str_eq(key(&a), key(&b));
	ck_assert_uint_eq(strlen(key(&a)), 64);
}
END_TEST

START_TEST(order_of_providers_and_states_does_not_matter)
{
	struct parts a, b;
	struct key_provider provider;
	struct key_state state;

	fill(&a);
	fill(&b);
	provider = b.providers[0];
	b.providers[0] = b.providers[1];
	b.providers[1] = provider;
	state = b.states[0];
	b.states[0] = b.states[1];
	b.states[1] = state;
	ck_assert_str_eq(key(&a), key(&b));
}
END_TEST

START_TEST(every_part_counts)
{
	struct parts p;
	const char *first, *keys[12];
	size_t n = 0;

	fill(&p);
	first = key(&p);
#define CHANGED(change)                            \
	do {                                       \
		fill(&p);                          \
		change;                            \
		keys[n++] = key(&p);               \
	} while (0)
	CHANGED(p.declaration.name = "accounts");
	CHANGED(p.attribute.name = "view");
	CHANGED(p.target.pointer_bytes = 4);
	CHANGED(p.kept.value = "2");
	CHANGED(p.off[0] = "trace");
	CHANGED(p.request.program = "teller");
	CHANGED(p.providers[0].cell = "other");
	CHANGED(p.providers[0].key = "ed25519:00");
	CHANGED(p.providers[1].catalog = "bc");
	CHANGED(p.states[0].digest = "12");
	CHANGED(p.states[1].id = "role:boss");
	/* What moves from one part to the next is not the same. */
	CHANGED((p.states[0].id = "table:accoun", p.states[0].digest = "t11"));
	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(strcmp(keys[i], first) != 0, "change %zu does not count", i);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(keys[i], keys[k]);
	}
}
END_TEST

/* The value is written into lock files: it must never change for equal input. */
START_TEST(hash_is_blake2b)
{
	ck_assert_str_eq(key_hash("", 0, &arena),
			 "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	ck_assert_str_eq(key_hash("abc", 3, &arena),
			 "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key");
	TCase *tcase = tcase_create("key");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, equal_parts_give_equal_keys);
	tcase_add_test(tcase, order_of_providers_and_states_does_not_matter);
	tcase_add_test(tcase, every_part_counts);
	tcase_add_test(tcase, hash_is_blake2b);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
