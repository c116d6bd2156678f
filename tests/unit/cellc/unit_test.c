/* Which declaration an attribute stands on, and what is known about it; with every libclang.
 */
#include "help.h"

#include "cellc/declare.h"

#include <cell/cell.h>
#include <dlfcn.h>

/* Those that are here are all tried: the answers must be the same. */
static const char *const libraries[] = {
	"libclang-14.so.1", "libclang-15.so.1", "libclang-16.so.1", "libclang-17.so.1",
	"libclang-18.so.1", "libclang-19.so.1", "libclang-20.so.1", "libclang-21.so.1",
};

static const char *const places[] = {
	[MACRO_PLACE_FILE] = "file",         [MACRO_PLACE_STRUCT] = "struct",
	[MACRO_PLACE_UNION] = "union",       [MACRO_PLACE_ENUM] = "enum",
	[MACRO_PLACE_FUNCTION] = "function", [MACRO_PLACE_PROTOTYPE] = "prototype",
	[MACRO_PLACE_TYPEDEF] = "typedef",   [MACRO_PLACE_VARIABLE] = "variable",
};

/* SOURCE; then for each declaration "place name: attributes on it and in it | its text". */
static const struct {
	const char *source;
	const char *declarations;
} rows[] = {
	{ "[[a::b]];\nint x;", "file : a::b | [[a::b]];\n" },
	{ "[[a::b, c::d]];", "file : a::b c::d | [[a::b, c::d]];\n" },
	{ "struct [[a::b]] s { int x; };",
	  "struct s: a::b | struct [[a::b]] s { int x; };\n" },
	{ "union [[a::b]] s { int x; };", "union s: a::b | union [[a::b]] s { int x; };\n" },
	{ "enum [[a::b]] e { A };", "enum e: a::b | enum [[a::b]] e { A };\n" },
	{ "struct [[a::b]] s;", "struct s: a::b | struct [[a::b]] s;\n" },
	{ "struct [[a::b]] s { int x; } v, *w;",
	  "struct s: a::b | struct [[a::b]] s { int x; } v, *w;\n" },
	{ "typedef struct [[a::b]] { int x; } t;",
	  "struct t: a::b | typedef struct [[a::b]] { int x; } t;\n" },
	{ "typedef struct [[a::b]] s { int x; } t;",
	  "struct s: a::b | typedef struct [[a::b]] s { int x; } t;\n" },
	{ "static const struct [[a::b]] s { int x; } v = { 1 };",
	  "struct s: a::b | static const struct [[a::b]] s { int x; } v = { 1 };\n" },
	{ "[[a::b]] struct s { int x; } v;",
	  "variable v: a::b | [[a::b]] struct s { int x; } v;\n" },
	{ "[[a::b]] typedef struct s t;",
	  "typedef t: a::b | [[a::b]] typedef struct s t;\n" },
	{ "typedef int t [[a::b]];", "typedef t: a::b | typedef int t [[a::b]];\n" },
	/* Members. */
	{ "struct s { [[a::b]] int x; int y [[a::c]]; char z[8] [[a::d]]; };",
	  "struct s: a::b a::c a::d | struct s { [[a::b]] int x; int y [[a::c]]; char z[8] "
	  "[[a::d]]; };\n" },
	{ "struct s { [[a::b]] int *x, *y; unsigned b [[a::c]] : 3; [[a::d]] unsigned : 0; };",
	  "struct s: a::b a::b a::c a::d | struct s { [[a::b]] int *x, *y; unsigned b [[a::c]] : 3; "
	  "[[a::d]] unsigned : 0; };\n" },
	{ "struct s { union { [[a::b]] int x; float y [[a::c]]; }; [[a::d]] int (*f[2])(int); };",
	  "struct s: a::b a::c a::d | struct s { union { [[a::b]] int x; float y [[a::c]]; }; "
	  "[[a::d]] int (*f[2])(int); };\n" },
	{ "struct s { [[a::b]] int n; [[a::c]] char x[]; };",
	  "struct s: a::b a::c | struct s { [[a::b]] int n; [[a::c]] char x[]; };\n" },
	{ "enum e { A [[a::b]] = 1, B [[a::c]] };",
	  "enum e: a::b a::c | enum e { A [[a::b]] = 1, B [[a::c]] };\n" },
	/* Functions. */
	{ "[[a::b]] int f(void);", "prototype f: a::b | [[a::b]] int f(void);\n" },
	{ "int f [[a::b]] (void);", "prototype f: a::b | int f [[a::b]] (void);\n" },
	{ "int f(void) [[a::b]];", "prototype f: a::b | int f(void) [[a::b]];\n" },
	{ "[[a::b]] static inline int f(void) { return 1; } int g;",
	  "function f: a::b | [[a::b]] static inline int f(void) { return 1; }\n" },
	{ "int f(int x) [[a::b]] { return x; }",
	  "function f: a::b | int f(int x) [[a::b]] { return x; }\n" },
	{ "[[a::b]]\nint (*f(int x))(void)\n{\n\treturn 0;\n}",
	  "function f: a::b | [[a::b]]\nint (*f(int x))(void)\n{\n\treturn 0;\n}\n" },
	{ "[[a::b]] int f(a) int a; { return a; }",
	  "function f: a::b | [[a::b]] int f(a) int a; { return a; }\n" },
	{ "int f([[a::b]] int x, int y [[a::c]], int z[static 3] [[a::d]]);",
	  "prototype f: a::b a::c a::d | int f([[a::b]] int x, int y [[a::c]], int z[static 3] "
	  "[[a::d]]);\n" },
	{ "[[a::b]] int f(int x), g(void);",
	  "prototype f: a::b | [[a::b]] int f(int x), g(void);\n"
	  "prototype g: a::b | [[a::b]] int f(int x), g(void);\n" },
	{ "[[a::b]] __attribute__((pure)) int f(void);",
	  "prototype f: a::b | [[a::b]] __attribute__((pure)) int f(void);\n" },
	{ "[[nodiscard, a::b]] [[a::c]] extern int f(void);",
	  "prototype f: a::b a::c | [[nodiscard, a::b]] [[a::c]] extern int f(void);\n" },
	{ "int f(void) [[a::b]]; int f(void) { return 1; }",
	  "prototype f: a::b | int f(void) [[a::b]];\n" },
	{ "[[a::b]] int f(void); int f(void); [[a::c]] int f(void) { return 1; }",
	  "prototype f: a::b | [[a::b]] int f(void);\n"
	  "function f: a::c | [[a::c]] int f(void) { return 1; }\n" },
	{ "int f([[a::b]] int x); int f(int x) { return x; }",
	  "prototype f: a::b | int f([[a::b]] int x);\n" },
	{ "struct [[a::b]] s; struct s { int x; };",
	  "struct s: a::b | struct [[a::b]] s;\n" },
	/* Variables. */
	{ "[[a::b]] int x = 3, y;",
	  "variable x: a::b | [[a::b]] int x = 3, y;\nvariable y: a::b | [[a::b]] int x = 3, y;\n" },
	{ "extern int x [[a::b]], y;", "variable x: a::b | extern int x [[a::b]], y;\n" },
	{ "[[a::b]] int x[] = { 1, 2 };",
	  "variable x: a::b | [[a::b]] int x[] = { 1, 2 };\n" },
	{ "int x[2] [[a::b]] = { 1, 2 };",
	  "variable x: a::b | int x[2] [[a::b]] = { 1, 2 };\n" },
	/* Other spellings. */
	{ "struct <:<:a::b:>:> s <% int x; %>;",
	  "struct s: a::b | struct <:<:a::b:>:> s <% int x; %>;\n" },
	{ "CELL(a::b) int x; struct CELL(a::c) s { int x; };",
	  "variable x: a::b | CELL(a::b) int x;\n"
	  "struct s: a::c | struct CELL(a::c) s { int x; };\n" },
	{ "#define T [[a::b]]\nstruct T s { int x; };\nT int f(void);",
	  "struct s: a::b | struct T s { int x; };\nprototype f: a::b | int f(void);\n" },
	{ "#define T(n) struct [[a::b]] n { int x; }\nT(s);", "struct s: a::b | T(s);\n" },
	{ "# 1 \"x.h\" 1\n[[a::b]] int x;\n# 1 \"main.c\" 2\n",
	  "variable x: a::b h | [[a::b]] int x;\n" },
};

static void library_each(void (*check)(int row, const char *library), int row)
{
	bool any = false;

	for (size_t i = 0; i < COUNT(libraries); i++) {
		void *handle = dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL);

		if (handle) {
			check(row, libraries[i]);
			any = true;
		}
	}
	ck_assert_msg(any, "there is no libclang");
}

struct parsed {
	struct unit unit;
	struct cell_arena arena;
	struct caught caught;
	int r;
};

static void parse(struct parsed *parsed, const char *source, const char *library)
{
	static const struct diag_options options = { 0 };
	struct unit_options how = { .main_file = "/none.c",
				    .standard = "gnu17",
				    .libclang = library };
	struct cell_error err = { 0 };

	memset(parsed, 0, sizeof *parsed);
	cell_arena_init(&parsed->arena, 0);
	caught_open(&parsed->caught, &options);
	parsed->unit.text = source;
	parsed->unit.len = strlen(source);
	ck_assert_int_eq(scan_text(&parsed->unit.scan, source, strlen(source), "/none.c",
				   &parsed->arena, parsed->caught.diag),
			 0);
	/* libclang.so of two versions in one process would not do: each has its own. */
	parsed->r =
		unit_parse(&parsed->unit, &how, &parsed->arena, parsed->caught.diag, &err);
	ck_assert_str_eq(err.text, "");
}

static void parsed_free(struct parsed *parsed)
{
	cell_arena_deinit(&parsed->arena);
}

static void check_row(int row, const char *library)
{
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);
	struct parsed parsed;

	parse(&parsed, rows[row].source, library);
	ck_assert_str_eq(caught_close(&parsed.caught), "");
	ck_assert_int_eq(parsed.r, 0);
	for (size_t i = 0; i < parsed.unit.n_declarations; i++) {
		const struct declaration *one = &parsed.unit.declarations[i];
		const struct macro_plan_request *request = &one->request;
		char brace;

		fprintf(out, "%s %s:", places[request->declaration->place],
			request->declaration->name);
		for (size_t k = 0; k < request->n_attributes; k++) {
			const struct macro_attribute *attribute = &request->attributes[k];

			fprintf(out, " %s::%s", attribute->ns, attribute->name);
			ck_assert_uint_eq(attribute->id, k + 1);
			ck_assert_str_eq(one->attributes[k]->name, attribute->name);
		}
		fprintf(out, "%s | %.*s\n", one->is_in_header ? " h" : "",
			(int)(one->end - one->start), rows[row].source + one->start);
		if (one->open) {
			brace = rows[row].source[one->open];
			ck_assert(brace == '{' || brace == '<');
			brace = rows[row].source[one->close];
			ck_assert(brace == '}' || brace == '%');
		}
		if (request->declaration->place == MACRO_PLACE_FUNCTION)
			ck_assert_uint_eq(one->close + 1, one->end);
	}
	fclose(out);
	ck_assert_msg(strcmp(got, rows[row].declarations) == 0, "%s: got\n%swant\n%s",
		      library, got, rows[row].declarations);
	free(got);
	parsed_free(&parsed);
}

START_TEST(finds_what_an_attribute_stands_on)
{
	library_each(check_row, _i);
}
END_TEST

static const struct {
	const char *source;
	const char *said; /* "line:column: error: …", then the note's text */
	const char *note;
} wrong[] = {
	{ "[[db::table]] struct account { int x; };",
	  "1:1: error: [[db::table]] before 'struct' applies to nothing here",
	  "write: struct [[db::table]] account {" },
	{ "[[db::table(name = \"x\")]] union account;",
	  "1:1: error: [[db::table]] before 'union' applies to nothing here",
	  "write: union [[db::table(name = \"x\")]] account;" },
	{ "[[db::table(name = \"a very long name of a very long table\")]] enum { A };",
	  "1:1: error: [[db::table]] before 'enum' applies to nothing here",
	  "write: enum [[db::table(...)]] {" },
	{ "struct account {\n\tstruct { int y; } z;\n} [[db::table]];",
	  "3:3: error: [[db::table]] behind the closing brace applies to nothing here",
	  "write: struct [[db::table]] account {" },
	{ "struct account { int x; } [[db::table]] v;",
	  "1:27: error: [[db::table]] behind the closing brace applies to nothing here",
	  "write: struct [[db::table]] account {" },
	{ "struct s { struct t { int x; } [[a::b]] v; };",
	  "1:32: error: [[a::b]] behind the closing brace applies to nothing here",
	  "write: struct [[a::b]] t {" },
	{ "static [[a::b]] int f(void);", "1:8: error: [[a::b]] applies to nothing here",
	  "put it before 'static'" },
	{ "typedef [[a::b]] int t;", "1:9: error: [[a::b]] applies to nothing here",
	  "put it before 'typedef'" },
	{ "__attribute__((pure)) [[a::b]] int f(void);",
	  "1:23: error: [[a::b]] applies to nothing here", "put it before '__attribute__'" },
	{ "void f(void) { [[a::b]]; }",
	  "1:16: error: [[a::b]] stands inside the function 'f'",
	  "put it on a declaration at file scope" },
	{ "void f(void) { struct [[a::b]] s { int x; } v; }",
	  "1:23: error: [[a::b]] stands inside the function 'f'",
	  "put it on a declaration at file scope" },
	{ "struct [[a::b]] s { unknown_t x; };", "1:21: error: unknown type name 'unknown_t'",
	  "" },
	{ "#define T [[a::b]]\nvoid f(void) { T; }",
	  "1:11: error: [[a::b]] applies to nothing where this macro is used", "" },
};

static void check_wrong(int row, const char *library)
{
	char want[256];
	struct parsed parsed;

	parse(&parsed, wrong[row].source, library);
	caught_close(&parsed.caught);
	ck_assert_int_eq(parsed.r, -22);
	snprintf(want, sizeof want, "/none.c:%s", wrong[row].said);
	ck_assert_msg(strncmp(parsed.caught.text, want, strlen(want)) == 0, "%s: %s", library,
		      parsed.caught.text);
	if (wrong[row].note[0]) {
		snprintf(want, sizeof want, "note: %s\n", wrong[row].note);
		ck_assert_msg(strstr(parsed.caught.text, want) != NULL, "%s: %s", library,
			      parsed.caught.text);
	}
	/* One message each. */
	ck_assert_ptr_null(strstr(strstr(parsed.caught.text, "error:") + 1, "error:"));
	parsed_free(&parsed);
}

START_TEST(says_where_it_belongs)
{
	library_each(check_wrong, _i);
}
END_TEST

static const char types_source[] =
	"typedef unsigned long size_t; typedef _Bool bool;\n"
	"/**\n * Colours.\n *\n *   indented\n */\nenum [[m::e]] color { RED [[m::r]] = 3, /* red */ GREEN = -1 };\n"
	"typedef struct { short s; } plain_t;\n"
	"struct opaque;\n"
	"// Two lines\n// of comment.\n"
	"struct [[m::t(1)]] s {\n"
	"\t/* the id */\n\t[[m::k]] size_t id;\n"
	"\tconst char *name; /* a name */\n"
	"\tstruct s *next;\n"
	"\tchar fixed[3][2];\n"
	"\tunsigned low : 3, high : 5;\n"
	"\tenum color color;\n"
	"\tbool flag;\n"
	"\tunion { int i; double d [[m::u]]; };\n"
	"\tplain_t plain;\n"
	"\tint (*call)(int, ...);\n"
	"\tstruct opaque *hidden;\n"
	"\t_Complex float c;\n"
	"\tlong tail[];\n"
	"};\n";

/* Every type of struct s, as "N kind spelling tag size align element". */
static const char types_want[] =
	"1 STRUCT 'struct s' s 80 8 m::t 'Two lines\nof comment.'\n"
	"  id 2 @0 m::k 'the id'\n  name 4 @64 'a name'\n  next 6 @128\n  fixed 7 @192\n"
	"  low 10 @240 :3\n  high 10 @243 :5\n  color 11 @256\n  flag 12 @288\n  - 14 @320\n  plain 17 @384\n"
	"  call 20 @448\n  hidden 22 @512\n  c 24 @576\n  tail 26 @640\n"
	"2 TYPEDEF 'size_t' size_t 8 8 ->3\n"
	"3 UNSIGNED 'unsigned long' 8 8\n"
	"4 POINTER 'const char *' 8 8 ->5\n"
	"5 CHAR 'const char' const 1 1\n"
	"6 POINTER 'struct s *' 8 8 ->1\n"
	"7 ARRAY 'char[3][2]' 6 1 ->8 [3]\n"
	"8 ARRAY 'char[2]' 2 1 ->9 [2]\n"
	"9 CHAR 'char' 1 1\n"
	"10 UNSIGNED 'unsigned int' 4 4\n"
	"11 ENUM 'enum color' color 4 4 m::e 'Colours.\n\n  indented'\n"
	"  RED = 3 m::r 'red'\n  GREEN = -1\n"
	"12 TYPEDEF 'bool' bool 1 1 ->13\n"
	"13 BOOL 'bool' 1 1\n"
	"14 UNION 'union s::{...}' 8 8\n"
	"  i 15 @0\n  d 16 @0 m::u\n"
	"15 SIGNED 'int' 4 4\n"
	"16 FLOAT 'double' 8 8\n"
	"17 TYPEDEF 'plain_t' plain_t 2 2 ->18\n"
	"18 STRUCT 'plain_t' 2 2\n"
	"  s 19 @0\n"
	"19 SIGNED 'short' 2 2\n"
	"20 POINTER 'int (*)(int, ...)' 8 8 ->21\n"
	"21 FUNCTION 'int (int, ...)' 0 0 ->15\n"
	"22 POINTER 'struct opaque *' 8 8 ->23\n"
	"23 STRUCT 'struct opaque' opaque 0 0\n"
	"24 OTHER '_Complex float' 8 4 ->25\n"
	"25 FLOAT 'float' 4 4\n"
	"26 ARRAY 'long[]' 0 0 ->27 flexible\n"
	"27 SIGNED 'long' 8 8\n";

static void attributes_print(FILE *out, const struct macro_attribute *attributes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, " %s::%s", attributes[i].ns, attributes[i].name);
}

static void doc_print(FILE *out, const char *doc)
{
	if (doc[0])
		fprintf(out, " '%s'", doc);
	fputs("\n", out);
}

static void type_print(FILE *out, const struct macro_type *type, size_t n)
{
	static const char *const kinds[] = { "UNKNOWN", "VOID",     "BOOL",  "CHAR",
					     "SIGNED",  "UNSIGNED", "FLOAT", "POINTER",
					     "ARRAY",   "STRUCT",   "UNION", "ENUM",
					     "TYPEDEF", "FUNCTION", "OTHER" };

	fprintf(out, "%zu %s '%s'", n, kinds[type->kind], type->spelling);
	if (type->tag[0])
		fprintf(out, " %s", type->tag);
	fprintf(out, "%s %llu %u", type->is_const ? " const" : "",
		(unsigned long long)type->size, type->align);
	if (type->element)
		fprintf(out, " ->%u", type->element);
	if (type->length)
		fprintf(out, " [%llu]", (unsigned long long)type->length);
	if (type->is_flexible)
		fputs(" flexible", out);
	attributes_print(out, type->attributes, type->n_attributes);
	doc_print(out, type->doc);
	for (size_t i = 0; i < type->n_members; i++) {
		const struct macro_member *member = &type->members[i];

		fprintf(out, "  %s %u @%llu", member->name[0] ? member->name : "-",
			member->type, (unsigned long long)member->offset_bits);
		if (member->bits)
			fprintf(out, " :%u", member->bits);
		attributes_print(out, member->attributes, member->n_attributes);
		doc_print(out, member->doc);
	}
	for (size_t i = 0; i < type->n_enumerators; i++) {
		const struct macro_enumerator *one = &type->enumerators[i];

		fprintf(out, "  %s = %lld", one->name, (long long)one->value);
		attributes_print(out, one->attributes, one->n_attributes);
		doc_print(out, one->doc);
	}
}

static void check_types(int row, const char *library)
{
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);
	const struct macro_plan_request *request;
	struct parsed parsed;

	(void)row;
	parse(&parsed, types_source, library);
	ck_assert_str_eq(caught_close(&parsed.caught), "");
	ck_assert_uint_eq(parsed.unit.n_declarations, 2);
	request = &parsed.unit.declarations[1].request;
	ck_assert_uint_eq(request->declaration->type, 1);
	for (size_t i = 0; i < request->n_types; i++)
		type_print(out, &request->types[i], i + 1);
	fclose(out);
	ck_assert_msg(strcmp(got, types_want) == 0, "%s: got\n%s", library, got);
	free(got);
	ck_assert_uint_eq(request->target->pointer_bytes, sizeof(void *));
	parsed_free(&parsed);
}

START_TEST(tells_every_type)
{
	library_each(check_types, 0);
}
END_TEST

static const char handler_source[] =
	"[[cell::remote(a = \"b\")]];\n[[other::x]];\n"
	"struct [[cell::message]] in { [[cell::field(4)]] int amount; };\n"
	"struct call;\n"
	"/* Pays in. */\n"
	"[[cell::handler, db::atomic]]\n"
	"static int deposit(struct call *call, const struct in *in, [[db::x]] int n, ...)\n"
	"{\n\treturn 0;\n}\n";

static void check_handler(int row, const char *library)
{
	const struct macro_declaration *declaration;
	const struct macro_plan_request *request;
	const struct declaration *one;
	struct parsed parsed;
	static uint8_t *first;
	static size_t first_len;
	uint8_t *bytes;
	size_t len;

	(void)row;
	parse(&parsed, handler_source, library);
	ck_assert_str_eq(caught_close(&parsed.caught), "");
	ck_assert_uint_eq(parsed.unit.n_declarations, 4);
	one = &parsed.unit.declarations[3];
	request = &one->request;
	declaration = request->declaration;
	ck_assert_str_eq(declaration->name, "deposit");
	ck_assert_str_eq(declaration->doc, "Pays in.");
	ck_assert(declaration->is_static && declaration->is_variadic &&
		  !declaration->is_inline);
	ck_assert_str_eq(request->types[declaration->type - 1].spelling, "int");
	ck_assert_uint_eq(declaration->n_parameters, 3);
	ck_assert_str_eq(declaration->parameters[1].name, "in");
	ck_assert_str_eq(request->types[declaration->parameters[1].type - 1].spelling,
			 "const struct in *");
	ck_assert_uint_eq(declaration->parameters[2].n_attributes, 1);
	ck_assert_uint_eq(declaration->parameters[2].attributes[0].id, 3);

	/* On it: handler, atomic, x; around it what is of cell and db; then those of types.
	 */
	ck_assert_uint_eq(request->n_attributes, 3);
	ck_assert_uint_eq(request->n_context, 1);
	ck_assert_str_eq(request->context[0].name, "remote");
	ck_assert_uint_eq(request->context[0].id, 4);
	ck_assert_str_eq(request->context[0].values[0].text, "b");
	ck_assert_uint_eq(one->n_attributes, 6);
	for (size_t i = 0; i < request->n_types; i++)
		for (size_t k = 0; k < request->types[i].n_attributes; k++)
			ck_assert_str_eq(
				one->attributes[request->types[i].attributes[k].id - 1]->name,
				"message");

	/* For diagnostics. */
	ck_assert_uint_eq(one->at.line, 7);
	ck_assert_uint_eq(one->at.column, 12);
	ck_assert_uint_eq(one->n_members, 3);
	ck_assert_str_eq(one->member_names[1], "in");
	ck_assert_uint_eq(one->members[1].column, 56);
	ck_assert_int_eq(handler_source[one->open], '{');
	ck_assert_str_eq(handler_source + one->close, "}\n");
	ck_assert_int_eq(strncmp(handler_source + one->name, "deposit(", 8), 0);

	/* What is sent, and hashed, does not depend on who parsed it. */
	bytes = malloc(cell_macro_plan_request_bound(request));
	len = (size_t)(cell_macro_plan_request_encode(request, bytes) - bytes);
	if (first)
		ck_assert(len == first_len && memcmp(bytes, first, len) == 0);
	free(first);
	first = bytes;
	first_len = len;
	parsed_free(&parsed);
}

START_TEST(tells_a_function_with_all_around_it)
{
	library_each(check_handler, 0);
	library_each(check_handler, 0);
}
END_TEST

static const struct {
	const char *source;
	const char *wanted[4]; /* what is around each declaration */
} contexts[] = {
	/* A declaration of a header is one question, whatever the file that includes it says. */
	{ "# 1 \"x.h\" 1\n[[a::near]];\nstruct [[a::b]] t { int x; };\n# 2 \"/none.c\" 2\n"
	  "[[a::own]];\nstruct [[a::b]] s { int x; };\n",
	  { "", "near ", "near ", "near own " } },
	/* A state is that of the whole file; other things on structs are not, nor other spaces. */
	{ "struct [[cell::service]] s { int x; };\nstruct [[cell::message]] t { int x; };\n"
	  "struct [[a::service]] u { int x; };\n[[cell::own]];\n",
	  { "own ", "own service ", "", "" } },
	/* Unless the file says which. */
	{ "[[cell::service(\"one\")]];\nstruct [[cell::service(\"two\")]] s { int x; };\n"
	  "struct [[cell::message]] t { int x; };\n",
	  { "", "service ", "service " } },
	{ "# 1 \"x.h\" 1\nstruct [[cell::message]] t { int x; };\n# 2 \"/none.c\" 2\n"
	  "struct [[cell::service]] s { int x; };\n[[cell::handler]] int f(void) { return 0; }\n",
	  { "", "", "service " } },
};

static void check_context(int row, const char *library)
{
	const char *const *wanted = contexts[row].wanted;
	struct parsed parsed;

	parse(&parsed, contexts[row].source, library);
	ck_assert_str_eq(caught_close(&parsed.caught), "");
	for (size_t i = 0; i < 4; i++)
		ck_assert(!wanted[i] == (i >= parsed.unit.n_declarations));
	for (size_t i = 0; i < parsed.unit.n_declarations; i++) {
		const struct macro_plan_request *request = &parsed.unit.declarations[i].request;
		char got[32] = "";

		for (size_t k = 0; k < request->n_context; k++) {
			strcat(got, request->context[k].name);
			strcat(got, " ");
		}
		ck_assert_str_eq(got, wanted[i]);
	}
	parsed_free(&parsed);
}

START_TEST(a_declaration_is_sent_with_what_is_around_it)
{
	library_each(check_context, _i);
}
END_TEST

static void check_names(int row, const char *library)
{
	static const char source[] =
		"# 1 \"x.h\" 1\nstruct t { int member; };\n# 2 \"/none.c\" 2\n"
		"[[a::b]];\nint f(int parameter); typedef struct { int y; } u; enum { A, B }; extern int v;\n";
	static const char want[] =
		"struct t x.h:1:8, f /none.c:3:5, u /none.c:3:49, A /none.c:3:59, "
		"B /none.c:3:62, v /none.c:3:78, ";
	char got[512] = "";
	struct parsed parsed;

	(void)row;
	parse(&parsed, source, library);
	ck_assert_str_eq(caught_close(&parsed.caught), "");
	for (size_t i = 0; i < parsed.unit.n_names; i++) {
		const struct unit_name *name = &parsed.unit.names[i];
		size_t n = strlen(got);

		snprintf(got + n, sizeof got - n, "%s%s %s:%u:%u, ",
			 name->is_tag ? "struct " : "", name->name, name->at.file,
			 name->at.line, name->at.column);
	}
	ck_assert_str_eq(got, want);
	parsed_free(&parsed);
}

START_TEST(knows_the_names_of_the_file)
{
	library_each(check_names, 0);
}
END_TEST

START_TEST(says_what_to_install)
{
	static const struct diag_options options = { 0 };
	struct unit_options how = { .main_file = "a.c",
				    .libclang = "/nowhere/libclang.so.1" };
	struct unit unit = { .text = "[[a::b]];", .len = 9 };
	struct cell_error err = { 0 };
	struct cell_arena arena;
	struct caught caught;

	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	ck_assert_int_eq(scan_text(&unit.scan, unit.text, unit.len, "a.c", &arena,
				   caught.diag),
			 0);
	ck_assert_int_eq(unit_parse(&unit, &how, &arena, caught.diag, &err), -2);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/libclang.so.1"));
	ck_assert_str_eq(caught_close(&caught), "");
	cell_arena_deinit(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cellc/unit");
	TCase *tc = tcase_create("unit");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, finds_what_an_attribute_stands_on, 0, COUNT(rows));
	tcase_add_loop_test(tc, says_where_it_belongs, 0, COUNT(wrong));
	tcase_add_test(tc, tells_every_type);
	tcase_add_test(tc, tells_a_function_with_all_around_it);
	tcase_add_loop_test(tc, a_declaration_is_sent_with_what_is_around_it, 0, COUNT(contexts));
	tcase_add_test(tc, knows_the_names_of_the_file);
	tcase_add_test(tc, says_what_to_install);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
