/* postgres:: at compile time: what all tables have (table_macros()), and PostgreSQL's own. */
#include "macros.h"

#include <cell/cell.h>

#define ON_MEMBER CELL_MACRO_BIT(MACRO_PLACE_MEMBER)

static const struct cell_macro_argument table_arguments[] = {
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING, .is_positional = true,
	  .doc = "What the table is called; else the struct's tag." },
	{ .name = "schema", .kind = MACRO_VALUE_KIND_STRING, .is_positional = true,
	  .doc = "The schema of PostgreSQL that it is in; else \"public\"." },
	{ .name = "shared", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "A store that all programs use, \"global.config\"; else the program's own." },
	{ .name = "prefix", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "What generated names begin with instead of the struct's tag." },
	{ 0 },
};

static const struct cell_macro_argument length_arguments[] = {
	{ .name = "n", .kind = MACRO_VALUE_KIND_INTEGER, .is_positional = true, .is_required = true,
	  .doc = "At most so many characters." },
	{ 0 },
};

static const struct cell_macro_argument numeric_arguments[] = {
	{ .name = "precision", .kind = MACRO_VALUE_KIND_INTEGER, .is_positional = true,
	  .doc = "Digits in all; else as many as there are." },
	{ .name = "scale", .kind = MACRO_VALUE_KIND_INTEGER, .is_positional = true, .fallback = "0",
	  .doc = "Digits behind the point." },
	{ 0 },
};

static const struct cell_macro_argument enum_arguments[] = {
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING, .is_positional = true, .is_required = true,
	  .doc = "Of the type in PostgreSQL, whose labels are the enumerators." },
	{ 0 },
};

static const struct cell_macro_argument query_arguments[] = {
	{ .name = "text", .kind = MACRO_VALUE_KIND_STRING, .is_positional = true, .is_required = true,
	  .doc = "A statement of SQL; $1 is the first parameter of the function after the call." },
	{ 0 },
};

static const struct cell_macro own[] = {
	{ .name = "table", .arguments = table_arguments,
	  .doc = "Rows of this struct are kept in a table of PostgreSQL.\n"
		 "One that is there already is adopted: every member must be a column of its type." },
	{ .name = "varchar", .places = ON_MEMBER, .arguments = length_arguments,
	  .doc = "Text of at most so many characters." },
	{ .name = "char", .places = ON_MEMBER, .arguments = length_arguments,
	  .doc = "Text of just so many characters, filled up with blanks." },
	{ .name = "numeric", .places = ON_MEMBER, .arguments = numeric_arguments,
	  .doc = "A decimal number of any size, as text." },
	{ .name = "smallint", .places = ON_MEMBER, .doc = "A number of 16 bits." },
	{ .name = "date", .places = ON_MEMBER, .doc = "Days since 1970-01-01." },
	{ .name = "timestamp", .places = ON_MEMBER,
	  .doc = "Microseconds since 1970-01-01, of no time zone." },
	{ .name = "timestamptz", .places = ON_MEMBER, .doc = "Microseconds since 1970-01-01 UTC." },
	{ .name = "uuid", .places = ON_MEMBER, .doc = "16 bytes." },
	{ .name = "json", .places = ON_MEMBER, .doc = "JSON, kept as it was written." },
	{ .name = "jsonb", .places = ON_MEMBER, .doc = "JSON, kept as what it means." },
	{ .name = "enum", .places = ON_MEMBER, .arguments = enum_arguments,
	  .doc = "A type of PostgreSQL with labels, made if it is not there." },
	{ .name = "query", .places = CELL_MACRO_BIT(MACRO_PLACE_PROTOTYPE),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_BODY), .arguments = query_arguments,
	  .doc = "The function runs this statement.\n"
		 "The server checks it, and its types, while the program is compiled.",
	  .plan = macro_query_plan, .expand = macro_query_expand },
	{ 0 },
};

int macros_provide(struct cell_call *call, struct postgres *postgres)
{
	static const char *const namespaces[] = { "postgres", NULL };
	static struct cell_macro_provider provider = {
		.namespaces = namespaces,
		.states = postgres_states,
		.provision = postgres_provision,
		.comes_before = table_comes_before,
	};

	postgres->provider = (struct table_provider){
		.ns = "postgres",
		.cell = "postgres",
		.live = postgres_live,
		.native = native_read,
		.declared = planned_declare,
	};
	provider.macros = table_macros(own);
	if (!provider.macros)
		return cell_refuse(call, -ENOMEM, "the macros");
	return cell_provide_macros(call, &provider, postgres);
}
