/* A provider of db:: without a database: the live table is what a test says. */
#pragma once

#include "expansion.h"

#include <cell/cell.h>
#include <cell/internal/table/macros.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct table_provider provider; /* must be the first */
	const struct table_table *live;
	const char *trouble; /* why nothing can be said of it */
	char asked[128];
	struct cell_macro_provider db;
	struct expansion_result result;
};

static struct fixture fixture;

static int fixture_live(struct cell_call *call, void *self, const char *store, const char *name,
			const struct table_table **ret)
{
	struct fixture *f = self;

	(void)snprintf(f->asked, sizeof f->asked, "%s/%s", store, name);
	if (f->trouble)
		return cell_refuse(call, CELL_UNAVAILABLE, "%s", f->trouble);
	*ret = f->live;
	return 0;
}

static void fixture_setup(void)
{
	static const char *const namespaces[] = { "db", NULL };

	fixture = (struct fixture){
		.provider = { .ns = "db", .cell = "celldb", .live = fixture_live },
		.db = { .namespaces = namespaces, .macros = table_macros(NULL) },
	};
	ck_assert_ptr_nonnull(fixture.db.macros);
}

static void fixture_teardown(void)
{
	expansion_free(&fixture.result);
	free((void *)(uintptr_t)fixture.db.macros);
}

static inline void fixture_expand_in(const struct expansion_project *project, const char *source)
{
	const struct expansion_provider providers[] = { { &fixture.db, &fixture },
							{ NULL, NULL } };

	expansion_free(&fixture.result);
	expansion_make_by(&fixture.result, providers, project, source);
}

static inline void fixture_expand(const char *source)
{
	fixture_expand_in(NULL, source);
}

static inline int fixture_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
