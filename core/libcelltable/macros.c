/* The macros that all databases have: what they take, and where they belong. */
#include "macros.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#define BIT       CELL_MACRO_BIT
#define ON_MEMBER BIT(MACRO_PLACE_MEMBER)
#define ON_STRUCT BIT(MACRO_PLACE_STRUCT)

static const struct cell_macro_argument table_arguments[] = {
	{ .name = "name",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .is_positional = true,
	  .doc = "What the table is called; else the struct's tag." },
	{ .name = "shared",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "A store that all programs use, \"global.config\"; else the program's own." },
	{ .name = "prefix",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "What generated names begin with instead of the struct's tag." },
	{ 0 }
};
static const struct cell_macro_argument ref_arguments[] = {
	{ .name = "table",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .is_positional = true,
	  .is_required = true,
	  .doc = "\"organization\", or \"organization.code\" for a column that is unique there." },
	{ .name = "on_delete",
	  .kind = MACRO_VALUE_KIND_ANY,
	  .fallback = "restrict",
	  .choices = (const char *const[]){ "restrict", "cascade", "set_null", NULL },
	  .doc = "What becomes of this row when that one is deleted." },
	{ 0 }
};
static const struct cell_macro_argument foreign_arguments[] = {
	{ .name = "ref",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .is_positional = true,
	  .is_required = true,
	  .doc = "\"organization\", or \"organization.code\" for a column that is unique there." },
	{ .name = "on_delete",
	  .kind = MACRO_VALUE_KIND_ANY,
	  .fallback = "\"restrict\"",
	  .choices = (const char *const[]){ "restrict", "cascade", "set_null", NULL },
	  .doc = "What becomes of this row when that one is deleted." },
	{ 0 }
};
static const struct cell_macro_argument renamed_arguments[] = {
	{ .name = "from",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .is_required = true,
	  .is_positional = true,
	  .doc = "What the column was called." },
	{ 0 }
};
static const struct cell_macro_argument persist_arguments[] = {
	{ .name = "name",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .is_positional = true,
	  .doc = "What its table is called; else the struct's tag." },
	{ 0 }
};
static const struct cell_macro_argument crud_arguments[] = {
	{ .name = "service",
	  .kind = MACRO_VALUE_KIND_STRING,
	  .is_positional = true,
	  .doc = "The service that gets the methods; else that of the file." },
	{ 0 }
};

static const struct cell_macro macros[] = {
	{ .name = "table",
	  .places = ON_STRUCT,
	  .may = BIT(MACRO_ADDITION_DECLARATIONS),
	  .arguments = table_arguments,
	  .doc = "Rows of this struct are kept.\n"
		 "Members are columns; db-macros(7) says which types they may have.",
	  .plan = macro_table_plan,
	  .expand = macro_table_expand },
	{ .name = "key",
	  .places = ON_MEMBER,
	  .plan = macro_part_plan,
	  .doc = "What names a row. Several members are one key, in their order." },
	{ .name = "primary_key",
	  .places = ON_MEMBER,
	  .plan = macro_part_plan,
	  .doc = "The same as key." },
	{ .name = "unique",
	  .places = ON_MEMBER | ON_STRUCT,
	  .is_repeatable = true,
	  .takes_any_argument = true,
	  .plan = macro_part_plan,
	  .doc = "No two rows have the same value, and a row is found by it.\n"
		 "Members with one name, unique(\"place\"), are unique together, in their order;\n"
		 "at the struct, unique(city, street) says the same." },
	{ .name = "index",
	  .places = ON_MEMBER | ON_STRUCT,
	  .is_repeatable = true,
	  .takes_any_argument = true,
	  .plan = macro_part_plan,
	  .doc = "Rows are found by it, and read in its order.\n"
		 "Members with one name, index(\"place\"), are one index, in their order;\n"
		 "at the struct, index(city, street) says the same." },
	{ .name = "check",
	  .places = ON_MEMBER | ON_STRUCT,
	  .is_repeatable = true,
	  .takes_expression = true,
	  .plan = macro_part_plan,
	  .doc = "What is true of every row: check(balance >= 0).\n"
		 "An expression of C over the members; see db-macros(7)." },
	{ .name = "default",
	  .places = ON_MEMBER,
	  .takes_expression = true,
	  .plan = macro_part_plan,
	  .doc = "What an inserted row gets that lacks it: a literal, now() or uuid()." },
	{ .name = "computed",
	  .places = ON_MEMBER,
	  .takes_expression = true,
	  .plan = macro_part_plan,
	  .doc = "Computed from other members whenever the row is stored." },
	{ .name = "ref",
	  .places = ON_MEMBER,
	  .arguments = ref_arguments,
	  .plan = macro_part_plan,
	  .doc = "The key of a row in another table, which must be there." },
	{ .name = "foreign_key",
	  .places = ON_MEMBER,
	  .arguments = foreign_arguments,
	  .plan = macro_part_plan,
	  .doc = "The same as ref." },
	{ .name = "serial",
	  .places = ON_MEMBER,
	  .plan = macro_part_plan,
	  .doc = "An inserted row that has 0 gets the next number." },
	{ .name = "encrypted",
	  .places = ON_MEMBER,
	  .plan = macro_part_plan,
	  .doc = "Kept sealed with the key of the database's cell. It cannot be in an index." },
	{ .name = "renamed",
	  .places = ON_MEMBER,
	  .arguments = renamed_arguments,
	  .plan = macro_part_plan,
	  .doc = "The column of that name becomes this one." },
	{ .name = "dropped",
	  .places = ON_STRUCT,
	  .is_repeatable = true,
	  .takes_any_argument = true,
	  .plan = macro_part_plan,
	  .doc = "Columns that are given up, with what they hold: dropped(\"nick\", \"note\")." },
	{ .name = "crud",
	  .places = ON_STRUCT,
	  .may = BIT(MACRO_ADDITION_DECLARATIONS),
	  .arguments = crud_arguments,
	  .doc = "Methods to create, get, update, delete and list rows.\n"
		 "The struct is a message, too; they are called CreateAccount and so on.",
	  .plan = macro_crud_plan,
	  .expand = macro_crud_expand },
	{ .name = "persist",
	  .places = ON_STRUCT,
	  .may = BIT(MACRO_ADDITION_DECLARATIONS),
	  .arguments = persist_arguments,
	  .doc = "The state of a service lasts.\n"
		 "Each call has a copy, which is checked and stored when the handler returns 0.",
	  .plan = macro_persist_plan,
	  .expand = macro_persist_expand },
	{ .name = "atomic",
	  .places = BIT(MACRO_PLACE_FUNCTION),
	  .may = BIT(MACRO_ADDITION_WRAP) | BIT(MACRO_ADDITION_DECLARATIONS),
	  .doc = "What the function reads and writes is one transaction.\n"
		 "It is committed if the function returns 0, and run again if it loses a race.",
	  .plan = macro_atomic_plan,
	  .expand = macro_atomic_expand },
};

/* One of OURS by the name of OWN: that takes its arguments and its text, and does what ours
 * does. */
static bool widens(struct cell_macro *ours, size_t n, const struct cell_macro *own)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ours[i].name, own->name) == 0) {
			ours[i].arguments = own->arguments;
			ours[i].doc = own->doc;
			return true;
		}
	return false;
}

const struct cell_macro *table_macros(const struct cell_macro *own)
{
	const size_t n_ours = sizeof macros / sizeof *macros;
	struct cell_macro *all;
	size_t n_own = 0, n = n_ours;

	while (own && own[n_own].name)
		n_own++;
	all = calloc(n_ours + n_own + 1, sizeof *all);
	if (!all)
		return NULL;
	memcpy(all, macros, sizeof macros);
	for (size_t i = 0; i < n_own; i++)
		if (!widens(all, n_ours, &own[i]))
			all[n++] = own[i];
	return all;
}
