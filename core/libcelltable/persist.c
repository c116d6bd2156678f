/* persist: the state of a service is the one row of a table. */
#include "macros.h"

#include <cell/cell.h>

int macro_persist_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct table_provider *provider = cell_macro_self(work);
	struct read read;
	int r;

	if (cell_macro_has(work, provider->ns, "table"))
		return cell_macro_refuse(
			work, mine, NULL,
			"a struct is a table or the state of a service, not both");
	if (!macro_cell_attribute(work, "service")) {
		(void)cell_macro_refuse(work, mine, NULL, "'%s' is no state of a service",
					cell_macro_declaration(work)->name);
		cell_macro_note(work,
				"write: struct [[cell::service(\"bank\"), %s::persist]] %s {",
				provider->ns, cell_macro_declaration(work)->name);
		return CELL_INVALID_ARGUMENT;
	}
	r = read_declaration(&read, work, mine, READ_PERSISTED);
	return r == 0 ? macro_plan_uses(&read) : r;
}

int macro_persist_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *service =
		macro_cell_argument(macro_cell_attribute(work, "service"), "name");
	struct text layout = { .work = work }, once = { .work = work };
	struct read read;
	int r = read_declaration(&read, work, mine, READ_PERSISTED);

	if (r == 0)
		r = macro_describe(&read, &once);
	if (r < 0)
		return r;
	service = service ? service : read.tag;
	text_template(
		&once,
		"__attribute__((weak)) const struct cell_linked_kept cell_kept_$word$ = {\n"
		"\t.linked = { CELL_LINKED_KEPT, sizeof(struct cell_linked_kept) },\n"
		"\t.service = \"$service$\",\n"
		"\t.table = &cell_$noun$_table,\n"
		"};\n"
		"CELL_LINK(cell_kept_$word$_link, cell_kept_$word$);\n",
		(const char *const[]){ EMIT_WORDS(&read), "service", service, "word",
				       macro_word(work, service), NULL });
	emit_layout(&layout, &read);
	text_piece(&layout, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_DECL);
	text_piece(&once, mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_ONCE);
	return 0;
}
