#include "discover.h"

#include "core.cell.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/* The one in this process, in catalogues and messages. */
#define BUILTIN_CELL "macro"
/* A node has hundreds of cells at most; one that says more is not listened to for ever. */
#define PAGES_MAX 1024

static struct provider *add(struct cell_arena *arena, struct providers *providers)
{
	struct provider *items = providers->items;

	if ((providers->n & (providers->n - 1)) == 0) {
		items = cell_arena_calloc(arena, providers->n ? 2 * providers->n : 1,
					  sizeof *items);
		if (!items)
			return NULL;
		if (providers->n)
			memcpy(items, providers->items, providers->n * sizeof *items);
		providers->items = items;
	}
	return &items[providers->n++];
}

/* "db auth" as a list. */
static int split(struct cell_arena *arena, const char *text, struct provider *provider)
{
	const char **words = cell_arena_calloc(arena, strlen(text) / 2 + 1, sizeof *words);
	size_t n = 0;

	if (!words)
		return -ENOMEM;
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");

		words[n] = cell_arena_strndup(arena, text, len);
		if (!words[n++])
			return -ENOMEM;
		text += len;
	}
	provider->namespaces = words;
	provider->n_namespaces = n;
	return 0;
}

int providers_add(struct cell_arena *arena, struct providers *providers,
		  const struct core_cell_info *info)
{
	struct provider *provider;

	if (!*info->macros)
		return 0;
	provider = add(arena, providers);
	if (!provider)
		return -ENOMEM;
	*provider = (struct provider){
		.cell = cell_arena_strdup(arena, info->name),
		/* What is about to be, too: a connection waits for it. */
		.is_running = info->state == CORE_INSTANCE_STATE_READY ||
			      info->state == CORE_INSTANCE_STATE_STARTING ||
			      info->state == CORE_INSTANCE_STATE_BACKOFF,
	};
	return provider->cell ? split(arena, info->macros, provider) : -ENOMEM;
}

int providers_add_builtin(struct cell_arena *arena, struct providers *providers,
			  const struct cell_macro_provider *builtin, void *self)
{
	struct provider *provider = add(arena, providers);

	if (!provider)
		return -ENOMEM;
	*provider = (struct provider){ .cell = BUILTIN_CELL, .is_running = true,
				       .builtin = builtin, .self = self,
				       .namespaces = builtin->namespaces };
	while (builtin->namespaces[provider->n_namespaces])
		provider->n_namespaces++;
	return 0;
}

static int by_cell(const void *a, const void *b)
{
	return strcmp(((const struct provider *)a)->cell, ((const struct provider *)b)->cell);
}

void providers_sort(struct providers *providers)
{
	if (providers->n)
		qsort(providers->items, providers->n, sizeof *providers->items, by_cell);
}

static bool announces(const struct provider *provider, const char *ns)
{
	for (size_t i = 0; i < provider->n_namespaces; i++)
		if (strcmp(provider->namespaces[i], ns) == 0)
			return true;
	return false;
}

const struct provider *providers_rival(const struct providers *providers,
				       const struct provider *provider, const char **ret_ns)
{
	for (size_t i = 0; i < providers->n; i++)
		for (size_t k = 0; k < provider->n_namespaces; k++)
			if (&providers->items[i] != provider &&
			    announces(&providers->items[i], provider->namespaces[k])) {
				*ret_ns = provider->namespaces[k];
				return &providers->items[i];
			}
	return NULL;
}

int providers_find(const struct providers *providers, const char *ns,
		   const struct provider **ret_provider, struct cell_error *err)
{
	const struct provider *found = NULL;

	for (size_t i = 0; i < providers->n; i++) {
		const struct provider *provider = &providers->items[i];

		if (!announces(provider, ns))
			continue;
		/* Which of them is meant is not ours to guess. */
		if (found)
			return cell_fail(err, CELL_FAILED_PRECONDITION,
					 "namespace '%s' is announced by cell '%s' and by cell '%s'; "
					 "one of them must give it up",
					 ns, found->cell, provider->cell);
		found = provider;
	}
	if (!found)
		return cell_fail(err, CELL_NOT_FOUND,
				 "no cell of this node announces the namespace '%.60s'", ns);
	if (!found->is_running)
		return cell_fail(err, CELL_UNAVAILABLE,
				 "cell '%s', which provides '%s', is not running; run: cell run %s",
				 found->cell, ns, found->cell);
	*ret_provider = found;
	return 0;
}

int providers_discover(struct cell_call *call, struct cell_arena *arena,
		       const struct cell_macro_provider *builtin, void *self,
		       struct providers *ret_providers)
{
	struct core_list_request request = { .cell = "", .after_name = "" };
	struct providers providers = { 0 };
	struct core_cell_page page;
	int r = builtin ? providers_add_builtin(arena, &providers, builtin, self) : 0;

	for (unsigned n = 0; r == 0 && n < PAGES_MAX; n++) {
		r = core_list_cells(call, &request, &page);
		if (r < 0)
			return r;
		for (size_t i = 0; r == 0 && i < page.n_cells; i++) {
			request.after_name = page.cells[i].name;
			/* This process is one of them; its manifest says what the builtin provides. */
			if (!builtin || strcmp(page.cells[i].name, BUILTIN_CELL) != 0)
				r = providers_add(arena, &providers, &page.cells[i]);
		}
		if (!page.more || page.n_cells == 0)
			break;
	}
	if (r < 0)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for the list of providers");
	providers_sort(&providers);
	*ret_providers = providers;
	return 0;
}
