#include "clang.h"

#include "vector.h"

#include <clang-c/Index.h>
#include <dlfcn.h>
#include <link.h>
#include <errno.h>
#include <stdio.h>

/* What is used of libclang's interface, which is the same in all of its versions. */
/* clang-format off */
#define FUNCTIONS(X) \
	X(getClangVersion) X(Type_visitFields) X(createIndex) X(disposeIndex) \
	X(parseTranslationUnit2) X(disposeTranslationUnit) \
	X(getTranslationUnitCursor) X(visitChildren) X(getCString) X(disposeString) \
	X(getCursorSpelling) X(getCursorLocation) X(getCursorExtent) \
	X(getRangeStart) X(getRangeEnd) X(getExpansionLocation) X(getCursorType) \
	X(getCanonicalType) X(getTypeSpelling) X(getTypeDeclaration) \
	X(getCursorDefinition) X(getTypedefDeclUnderlyingType) \
	X(isCursorDefinition) X(Cursor_getStorageClass) X(Cursor_isFunctionInlined) \
	X(Cursor_isVariadic) X(Cursor_isNull) X(Cursor_getNumArguments) \
	X(Cursor_getArgument) X(getCursorResultType) \
	X(Cursor_getOffsetOfField) X(getFieldDeclBitWidth) X(Cursor_isBitField) \
	X(getEnumConstantDeclValue) X(isConstQualifiedType) X(Type_getSizeOf) \
	X(Type_getAlignOf) X(Type_getNamedType) X(getPointeeType) \
	X(getArrayElementType) X(getArraySize) X(getElementType) X(getResultType) \
	X(Type_getValueType) X(getNumDiagnostics) X(getDiagnostic) \
	X(disposeDiagnostic) X(getDiagnosticSeverity) X(getDiagnosticSpelling) \
	X(getDiagnosticLocation) X(getTranslationUnitTargetInfo) \
	X(TargetInfo_getTriple) X(TargetInfo_getPointerWidth) X(TargetInfo_dispose) \
	X(getAllSkippedRanges) X(disposeSourceRangeList)
/* clang-format on */

#define DECLARE(name) typeof(&clang_##name) name;
static struct libclang {
	void *handle;
	char path[256];
	FUNCTIONS(DECLARE)
} lib;
#undef DECLARE

#define UNIT_NAME "unit.c"

/* Types that are looked at more than once are found again by what libclang calls them. */
#define BUCKETS 1024

struct known {
	struct known *next;
	const void *key;
	void *value;
};

struct reader {
	struct cell_arena *arena;
	const char *text;
	size_t len;
	struct known *types[BUCKETS];
	struct known *records[BUCKETS];
	VECTOR(struct clang_declaration) declarations;
};

/* --- the library --------------------------------------------------------------------------
 */

/* One that was opened before stays: LLVM does not like to be unloaded. */
static bool open_one(const char *path)
{
	lib.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib.handle)
		return false;
#define FIND(name)                                                                           \
	lib.name = (typeof(lib.name))dlsym(lib.handle, "clang_" #name);                      \
	if (!lib.name)                                                                       \
		goto old;
	FUNCTIONS(FIND)
#undef FIND
	snprintf(lib.path, sizeof lib.path, "%s", path);
	return true;
old:
	dlclose(lib.handle);
	lib.handle = NULL;
	return false;
}

/* Newest first; then where Debian's packages of one version alone put it. */
static bool open_any(void)
{
	static const char *const names[] = {
		"libclang-%d.so.1",
		"libclang-%d.so.%d",
		"libclang.so.%d",
		"/usr/lib/llvm-%d/lib/libclang.so.1",
		"/usr/lib/llvm-%d/lib/libclang-%d.so.1",
	};
	char path[128];

	for (int version = 24; version >= 14; version--)
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(path, sizeof path, names[i], version, version);
#pragma GCC diagnostic pop
			if (open_one(path))
				return true;
		}
	return open_one("libclang.so.1") || open_one("libclang.so");
}

static int library_open(const char *path, struct cell_error *err)
{
	if (lib.handle && (!path || strcmp(lib.path, path) == 0))
		return 0;
	if (path && !open_one(path))
		return cell_fail(err, -ENOENT, "'%s' is no libclang: %s", path, dlerror());
	if (!path && !open_any())
		return cell_fail(
			err, -ENOENT,
			"expanding attributes needs libclang, which is not installed; "
			"on Debian: apt-get install libclang1-19 (or libclang1)");
	return 0;
}

/* --- small things -------------------------------------------------------------------------
 */

static const char *string_take(struct reader *reader, CXString string)
{
	const char *text = lib.getCString(string);
	const char *copy =
		memory_copy(reader->arena, text ? text : "", text ? strlen(text) : 0);

	lib.disposeString(string);
	return copy;
}

static size_t offset_of(CXSourceLocation location)
{
	unsigned offset = 0;

	lib.getExpansionLocation(location, NULL, NULL, NULL, &offset);
	return offset;
}

static struct known **bucket_of(struct known **table, const void *key)
{
	struct known **at = &table[((uintptr_t)key >> 4) % BUCKETS];

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

/* The entry for KEY; *RET_VALUE is to be filled if it is NULL. */
static struct known *known_get(struct reader *reader, struct known **table, const void *key)
{
	struct known **at = bucket_of(table, key);

	if (!*at) {
		*at = memory_new(reader->arena, 1, sizeof **at);
		(*at)->key = key;
	}
	return *at;
}

/* "(unnamed struct at file.c:3:9)" says where, which is nobody's business, and not twice the
 * same. */
static const char *spelling_clean(struct reader *reader, const char *spelling)
{
	char *clean = memory_new(reader->arena, strlen(spelling) * 2 + 1, 1), *to = clean;

	for (const char *at = spelling; *at;) {
		const char *end;

		if (strncmp(at, "(unnamed", 8) == 0 || strncmp(at, "(anonymous", 10) == 0) {
			/* The file's name may have parentheses; the position has digits
			 * before its end. */
			end = at;
			do
				end = strchr(end + 1, ')');
			while (end && !(end[-1] >= '0' && end[-1] <= '9') &&
			       strstr(at, " at "));
			if (end) {
				to = stpcpy(to, "{...}");
				at = end + 1;
				continue;
			}
		}
		/* libclang 19 says _Bool or bool by the standard; 14 puts a space before [.
		 */
		if (strncmp(at, "_Bool", 5) == 0 &&
		    (at == spelling || at[-1] == ' ' || at[-1] == '(' || at[-1] == ',') &&
		    !strchr("_0123456789", at[5] ? at[5] : ' ')) {
			to = stpcpy(to, "bool");
			at += 5;
			continue;
		}
		if (*at == ' ' && at[1] == '[') {
			at++;
			continue;
		}
		*to++ = *at++;
	}
	return clean;
}

/* --- attributes ---------------------------------------------------------------------------
 */

struct marks {
	struct reader *reader;
	VECTOR(struct clang_mark) all;
};

static enum CXChildVisitResult on_mark(CXCursor cursor, CXCursor parent, CXClientData data)
{
	struct marks *marks = data;
	const char *text;
	CXString string;

	(void)parent;
	if (cursor.kind != CXCursor_AnnotateAttr)
		return CXChildVisit_Continue;
	string = lib.getCursorSpelling(cursor);
	text = lib.getCString(string);
	if (text && strncmp(text, "cell:", 5) == 0)
		*VECTOR_ADD(marks->reader->arena, &marks->all) = (struct clang_mark){
			.attribute = strtoul(text + 5, NULL, 10),
			.at = offset_of(lib.getRangeStart(lib.getCursorExtent(cursor))),
		};
	lib.disposeString(string);
	return CXChildVisit_Continue;
}

static void marks_read(struct reader *reader, CXCursor cursor,
		       struct clang_declaration *declaration)
{
	struct marks marks = { .reader = reader };

	lib.visitChildren(cursor, on_mark, &marks);
	declaration->marks = marks.all.items;
	declaration->n_marks = marks.all.n;
}

/* --- types --------------------------------------------------------------------------------
 */

static const struct clang_type *type_read(struct reader *reader, CXType type);
static const struct clang_declaration *record_read(struct reader *reader, CXCursor cursor);

static enum macro_type_kind kind_of(CXType type)
{
	switch (type.kind) {
	case CXType_Void: return MACRO_TYPE_KIND_VOID;
	case CXType_Bool: return MACRO_TYPE_KIND_BOOL;
	case CXType_Char_S:
	case CXType_Char_U: return MACRO_TYPE_KIND_CHAR;
	case CXType_SChar:
	case CXType_Short:
	case CXType_Int:
	case CXType_Long:
	case CXType_LongLong:
	case CXType_Int128:
	case CXType_WChar: return MACRO_TYPE_KIND_SIGNED;
	case CXType_UChar:
	case CXType_UShort:
	case CXType_UInt:
	case CXType_ULong:
	case CXType_ULongLong:
	case CXType_UInt128:
	case CXType_Char16:
	case CXType_Char32: return MACRO_TYPE_KIND_UNSIGNED;
	case CXType_Half:
	case CXType_Float16:
	case CXType_Float:
	case CXType_Double:
	case CXType_LongDouble:
	case CXType_Float128: return MACRO_TYPE_KIND_FLOAT;
	case CXType_Pointer:
	case CXType_BlockPointer: return MACRO_TYPE_KIND_POINTER;
	case CXType_ConstantArray:
	case CXType_IncompleteArray:
	case CXType_VariableArray: return MACRO_TYPE_KIND_ARRAY;
	case CXType_Enum: return MACRO_TYPE_KIND_ENUM;
	case CXType_Typedef: return MACRO_TYPE_KIND_TYPEDEF;
	case CXType_FunctionProto:
	case CXType_FunctionNoProto: return MACRO_TYPE_KIND_FUNCTION;
	case CXType_Record:
		return lib.getTypeDeclaration(type).kind == CXCursor_UnionDecl
			       ? MACRO_TYPE_KIND_UNION
			       : MACRO_TYPE_KIND_STRUCT;
	default: return MACRO_TYPE_KIND_OTHER;
	}
}

/* The name of a declaration; that of an anonymous struct is its typedef's; "" if it has none.
 */
static const char *name_of(struct reader *reader, CXCursor cursor)
{
	const char *name, *space;

	if (cursor.kind == CXCursor_StructDecl || cursor.kind == CXCursor_UnionDecl ||
	    cursor.kind == CXCursor_EnumDecl) {
		/* "struct account", "account_t", "struct (unnamed at …)" */
		name = string_take(reader, lib.getTypeSpelling(lib.getCursorType(cursor)));
		space = strrchr(name, ' ');
		return strchr(name, '(') ? "" : space ? space + 1 : name;
	}
	name = string_take(reader, lib.getCursorSpelling(cursor));
	return strpbrk(name, " (") ? "" : name;
}

/* The tag of a struct, union or enum; "" if it has none: then its place is the keyword's. */
static const char *tag_of(struct reader *reader, CXCursor cursor)
{
	static const char *const keywords[] = { "struct", "union", "enum" };
	size_t at = offset_of(lib.getCursorLocation(cursor));

	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		size_t n = strlen(keywords[i]);

		if (at + n < reader->len && memcmp(reader->text + at, keywords[i], n) == 0 &&
		    strchr(" \t\n\r[{_/\\", reader->text[at + n]))
			return "";
	}
	return name_of(reader, cursor);
}

/* SPELLING of a struct that has no tag but the typedef NAME: libclang 19 says "struct NAME".
 */
static const char *spelling_untag(struct reader *reader, const char *spelling,
				  const char *name)
{
	const char *at = name[0] ? strstr(spelling, name) : NULL, *word = at;

	if (!at || at == spelling || at[-1] != ' ')
		return spelling;
	for (word--; word > spelling && word[-1] != ' ';)
		word--;
	if (strncmp(word, "struct ", 7) != 0 && strncmp(word, "union ", 6) != 0 &&
	    strncmp(word, "enum ", 5) != 0)
		return spelling;
	return memory_check(cell_arena_printf(reader->arena, "%.*s%s", (int)(word - spelling),
					      spelling, at));
}

/* Behind what only says how a type was written. */
static CXType type_plain(CXType type)
{
	CXType named;

	for (int i = 0; i < 8; i++) {
		if (type.kind == CXType_Elaborated)
			named = lib.Type_getNamedType(type);
		else if (type.kind == CXType_Unexposed || type.kind == CXType_Auto)
			named = lib.getCanonicalType(type);
		else
			break;
		if (named.kind == CXType_Invalid || named.data[0] == type.data[0])
			break;
		type = named;
	}
	return type;
}

static void type_fill(struct reader *reader, CXType type, struct clang_type *ret)
{
	CXType plain = type_plain(type), element = { .kind = CXType_Invalid };
	long long size = lib.Type_getSizeOf(type), align = lib.Type_getAlignOf(type);
	CXCursor declaration;

	ret->kind = kind_of(plain);
	ret->spelling =
		spelling_clean(reader, string_take(reader, lib.getTypeSpelling(type)));
	ret->tag = "";
	ret->is_const = lib.isConstQualifiedType(type);
	/* What has no size for C has one for clang: void and functions. */
	if (size > 0 && ret->kind != MACRO_TYPE_KIND_VOID &&
	    ret->kind != MACRO_TYPE_KIND_FUNCTION) {
		ret->size = (uint64_t)size;
		ret->align = align > 0 ? (uint32_t)align : 0;
	}
	switch (ret->kind) {
	case MACRO_TYPE_KIND_POINTER: element = lib.getPointeeType(plain); break;
	case MACRO_TYPE_KIND_ARRAY:
		element = lib.getArrayElementType(plain);
		ret->is_flexible = plain.kind == CXType_IncompleteArray;
		ret->length = plain.kind == CXType_ConstantArray
				      ? (uint64_t)lib.getArraySize(plain)
				      : 0;
		break;
	case MACRO_TYPE_KIND_FUNCTION: element = lib.getResultType(plain); break;
	case MACRO_TYPE_KIND_TYPEDEF:
		declaration = lib.getTypeDeclaration(plain);
		ret->tag = name_of(reader, declaration);
		element = lib.getTypedefDeclUnderlyingType(declaration);
		break;
	case MACRO_TYPE_KIND_STRUCT:
	case MACRO_TYPE_KIND_UNION:
	case MACRO_TYPE_KIND_ENUM:
		declaration = lib.getTypeDeclaration(plain);
		ret->tag = tag_of(reader, declaration);
		if (!ret->tag[0])
			ret->spelling = spelling_untag(reader, ret->spelling,
						       name_of(reader, declaration));
		declaration = lib.getCursorDefinition(declaration);
		if (!lib.Cursor_isNull(declaration))
			ret->definition = record_read(reader, declaration);
		break;
	case MACRO_TYPE_KIND_OTHER:
		if (plain.kind == CXType_Atomic)
			element = lib.Type_getValueType(plain);
		else if (plain.kind == CXType_Vector || plain.kind == CXType_ExtVector ||
			 plain.kind == CXType_Complex)
			element = lib.getElementType(plain);
		break;
	default: break;
	}
	if (element.kind != CXType_Invalid)
		ret->element = type_read(reader, element);
}

/* The same type is the same object, so that this ends for those that contain themselves. */
static const struct clang_type *type_read(struct reader *reader, CXType type)
{
	struct known *known;

	if (type.kind == CXType_Invalid)
		return NULL;
	known = known_get(reader, reader->types, type.data[0]);
	if (!known->value) {
		known->value = memory_new(reader->arena, 1, sizeof(struct clang_type));
		type_fill(reader, type, known->value);
	}
	return known->value;
}

/* --- declarations -------------------------------------------------------------------------
 */

static enum macro_place place_of(CXCursor cursor)
{
	switch (cursor.kind) {
	case CXCursor_StructDecl: return MACRO_PLACE_STRUCT;
	case CXCursor_UnionDecl: return MACRO_PLACE_UNION;
	case CXCursor_EnumDecl: return MACRO_PLACE_ENUM;
	case CXCursor_EnumConstantDecl: return MACRO_PLACE_ENUMERATOR;
	case CXCursor_FieldDecl: return MACRO_PLACE_MEMBER;
	case CXCursor_FunctionDecl: return MACRO_PLACE_PROTOTYPE; /* its body is not parsed */
	case CXCursor_ParmDecl: return MACRO_PLACE_PARAMETER;
	case CXCursor_TypedefDecl: return MACRO_PLACE_TYPEDEF;
	case CXCursor_VarDecl: return MACRO_PLACE_VARIABLE;
	default: return MACRO_PLACE_UNSPECIFIED;
	}
}

/* What costs little, and is wanted of all. */
static void declaration_read(struct reader *reader, CXCursor cursor,
			     struct clang_declaration *ret)
{
	CXSourceRange extent = lib.getCursorExtent(cursor);

	ret->place = place_of(cursor);
	ret->name = name_of(reader, cursor);
	ret->start = offset_of(lib.getRangeStart(extent));
	ret->end = offset_of(lib.getRangeEnd(extent));
	ret->name_at = offset_of(lib.getCursorLocation(cursor));
	ret->is_definition = lib.isCursorDefinition(cursor);
}

struct parts {
	struct reader *reader;
	VECTOR(struct clang_declaration) all;
	VECTOR(CXCursor) cursors;
};

static enum CXChildVisitResult on_part(CXCursor cursor, CXCursor parent, CXClientData data)
{
	struct parts *parts = data;

	(void)parent;
	if (cursor.kind == CXCursor_EnumConstantDecl)
		*VECTOR_ADD(parts->reader->arena, &parts->cursors) = cursor;
	return CXChildVisit_Continue;
}

/* Unlike children, these are also the members that anonymous structs and unions are. */
static enum CXVisitorResult on_member(CXCursor cursor, CXClientData data)
{
	struct parts *parts = data;

	*VECTOR_ADD(parts->reader->arena, &parts->cursors) = cursor;
	return CXVisit_Continue;
}

static void part_read(struct reader *reader, CXCursor cursor, struct clang_declaration *ret)
{
	long long offset;
	int bits;

	declaration_read(reader, cursor, ret);
	marks_read(reader, cursor, ret);
	ret->type = type_read(reader, lib.getCursorType(cursor));
	switch (ret->place) {
	case MACRO_PLACE_ENUMERATOR: ret->value = lib.getEnumConstantDeclValue(cursor); break;
	case MACRO_PLACE_MEMBER:
		offset = lib.Cursor_getOffsetOfField(cursor);
		ret->offset_bits = offset > 0 ? (uint64_t)offset : 0;
		bits = lib.Cursor_isBitField(cursor) ? lib.getFieldDeclBitWidth(cursor) : 0;
		ret->bits = bits > 0 ? (uint32_t)bits : 0;
		break;
	default: break;
	}
}

/* Members and enumerators, or parameters. */
static void parts_read(struct reader *reader, CXCursor cursor, struct clang_declaration *ret)
{
	struct parts parts = { .reader = reader };
	struct clang_declaration *all;
	int n = -1;

	if (cursor.kind == CXCursor_FunctionDecl)
		n = lib.Cursor_getNumArguments(cursor);
	else if (cursor.kind == CXCursor_EnumDecl)
		lib.visitChildren(cursor, on_part, &parts);
	else
		lib.Type_visitFields(lib.getCursorType(cursor), on_member, &parts);
	for (int i = 0; i < n; i++)
		*VECTOR_ADD(reader->arena, &parts.cursors) =
			lib.Cursor_getArgument(cursor, (unsigned)i);
	all = memory_new(reader->arena, parts.cursors.n, sizeof *all);
	for (size_t i = 0; i < parts.cursors.n; i++)
		part_read(reader, parts.cursors.items[i], &all[i]);
	ret->parts = all;
	ret->n_parts = parts.cursors.n;
}

/* A struct, union or enum that is defined at CURSOR: the same object for each. */
static const struct clang_declaration *record_read(struct reader *reader, CXCursor cursor)
{
	CXType type = lib.getCanonicalType(lib.getCursorType(cursor));
	struct known *known = known_get(reader, reader->records, type.data[0]);
	struct clang_declaration *record = known->value;

	if (record)
		return record;
	record = known->value = memory_new(reader->arena, 1, sizeof *record);
	declaration_read(reader, cursor, record);
	marks_read(reader, cursor, record);
	parts_read(reader, cursor, record);
	return record;
}

/* Whether there is a mark on it or in it. */
static enum CXChildVisitResult on_search(CXCursor cursor, CXCursor parent, CXClientData data)
{
	bool *found = data;

	(void)parent;
	if (cursor.kind == CXCursor_AnnotateAttr) {
		*found = true;
		return CXChildVisit_Break;
	}
	return CXChildVisit_Recurse;
}

/* All about a declaration that has marks. */
static void marked_read(struct reader *reader, CXCursor cursor, struct clang_declaration *ret)
{
	enum CX_StorageClass storage = lib.Cursor_getStorageClass(cursor);

	marks_read(reader, cursor, ret);
	ret->is_static = storage == CX_SC_Static;
	switch (ret->place) {
	case MACRO_PLACE_PROTOTYPE:
		ret->is_inline = lib.Cursor_isFunctionInlined(cursor);
		ret->is_variadic = lib.Cursor_isVariadic(cursor);
		ret->type = type_read(reader, lib.getCursorResultType(cursor));
		parts_read(reader, cursor, ret);
		break;
	case MACRO_PLACE_STRUCT:
	case MACRO_PLACE_UNION:
	case MACRO_PLACE_ENUM:
		ret->type = type_read(reader, lib.getCursorType(cursor));
		if (ret->is_definition) {
			const struct clang_declaration *record = record_read(reader, cursor);

			ret->marks = record->marks;
			ret->n_marks = record->n_marks;
			ret->parts = record->parts;
			ret->n_parts = record->n_parts;
		}
		break;
	default: ret->type = type_read(reader, lib.getCursorType(cursor)); break;
	}
}

static enum CXChildVisitResult on_enumerator(CXCursor cursor, CXCursor parent,
					     CXClientData data)
{
	struct reader *reader = data;

	(void)parent;
	if (cursor.kind == CXCursor_EnumConstantDecl)
		declaration_read(reader, cursor,
				 VECTOR_ADD(reader->arena, &reader->declarations));
	return CXChildVisit_Continue;
}

static enum CXChildVisitResult on_declaration(CXCursor cursor, CXCursor parent,
					      CXClientData data)
{
	struct reader *reader = data;
	struct clang_declaration one = { 0 };
	bool is_marked = false;

	(void)parent;
	if (place_of(cursor) == MACRO_PLACE_UNSPECIFIED)
		return CXChildVisit_Continue;
	declaration_read(reader, cursor, &one);
	lib.visitChildren(cursor, on_search, &is_marked);
	if (is_marked)
		marked_read(reader, cursor, &one);
	*VECTOR_ADD(reader->arena, &reader->declarations) = one;
	/* Enumerators are names at file scope, too. */
	if (one.place == MACRO_PLACE_ENUM)
		lib.visitChildren(cursor, on_enumerator, reader);
	return CXChildVisit_Continue;
}

/* Up to 16 C before C23 has no [[…]] without being told; later ones refuse to be told. */
static bool needs_brackets_flag(void)
{
	CXString string = lib.getClangVersion();
	const char *text = lib.getCString(string),
		   *at = text ? strstr(text, "version ") : NULL;
	unsigned long version = at ? strtoul(at + 8, NULL, 10) : 0;

	lib.disposeString(string);
	return version && version < 17;
}

/* --- the whole ----------------------------------------------------------------------------
 */

static void errors_read(struct reader *reader, CXTranslationUnit unit, struct clang_tree *ret)
{
	VECTOR(struct clang_error) errors = { 0 };
	unsigned n = lib.getNumDiagnostics(unit);

	for (unsigned i = 0; i < n; i++) {
		CXDiagnostic diagnostic = lib.getDiagnostic(unit, i);

		if (lib.getDiagnosticSeverity(diagnostic) >= CXDiagnostic_Error)
			*VECTOR_ADD(reader->arena, &errors) = (struct clang_error){
				.text = string_take(reader,
						    lib.getDiagnosticSpelling(diagnostic)),
				.at = offset_of(lib.getDiagnosticLocation(diagnostic)),
			};
		lib.disposeDiagnostic(diagnostic);
	}
	ret->errors = errors.items;
	ret->n_errors = errors.n;
}

static void skipped_read(struct reader *reader, CXTranslationUnit unit,
			 struct clang_tree *ret)
{
	CXSourceRangeList *list = lib.getAllSkippedRanges(unit);
	struct clang_stretch *all;

	if (!list)
		return;
	all = memory_new(reader->arena, list->count, sizeof *all);
	for (unsigned i = 0; i < list->count; i++) {
		all[i].start = offset_of(lib.getRangeStart(list->ranges[i]));
		all[i].end = offset_of(lib.getRangeEnd(list->ranges[i]));
	}
	ret->skipped = all;
	ret->n_skipped = list->count;
	lib.disposeSourceRangeList(list);
}

/* "x86_64-pc-linux-gnu" and "x86_64-unknown-linux-gnu" are one target. */
static const char *triple_clean(struct reader *reader, const char *triple)
{
	const char *first = strchr(triple, '-'),
		   *second = first ? strchr(first + 1, '-') : NULL;

	if (!second || !strchr(second + 1, '-'))
		return triple;
	return memory_check(cell_arena_printf(reader->arena, "%.*s%s", (int)(first - triple),
					      triple, second));
}

static bool is_big_endian(const char *triple)
{
	static const char *const big[] = { "s390",     "sparc",      "m68k",  "hppa",
					   "armeb",    "aarch64_be", "mips-", "mips64-",
					   "powerpc-", "powerpc64-", "ppc-",  "ppc64-" };

	for (size_t i = 0; i < sizeof big / sizeof *big; i++)
		if (strncmp(triple, big[i], strlen(big[i])) == 0)
			return true;
	return false;
}

static const struct macro_target *target_read(struct reader *reader, CXTranslationUnit unit)
{
	struct macro_target *target = memory_new(reader->arena, 1, sizeof *target);
	CXTargetInfo info = lib.getTranslationUnitTargetInfo(unit);
	int width = lib.TargetInfo_getPointerWidth(info);

	target->triple =
		triple_clean(reader, string_take(reader, lib.TargetInfo_getTriple(info)));
	target->pointer_bytes = width > 0 ? (uint32_t)width / 8 : 0;
	target->is_big_endian = is_big_endian(target->triple);
	lib.TargetInfo_dispose(info);
	return target;
}

const char *clang_library(void)
{
	struct link_map *map;

	if (!lib.handle || dlinfo(lib.handle, RTLD_DI_LINKMAP, &map) != 0 || !*map->l_name)
		return NULL;
	return map->l_name;
}

int clang_parse(struct clang_tree *ret, const char *text, size_t len,
		const struct clang_options *options, struct cell_arena *arena,
		struct cell_error *err)
{
	struct reader *reader = memory_new(arena, 1, sizeof *reader);
	struct CXUnsavedFile file = { UNIT_NAME, text, len };
	unsigned flags = CXTranslationUnit_KeepGoing | CXTranslationUnit_SkipFunctionBodies;
	CXTranslationUnit unit = NULL;
	enum CXErrorCode code;
	CXIndex index;
	VECTOR(const char *) arguments = { 0 };
	int r;

	r = library_open(options->libclang, err);
	if (r < 0)
		return r;
	*ret = (struct clang_tree){ 0 };
	reader->arena = arena;
	reader->text = text;
	reader->len = len;
	for (const char *const *at = options->arguments; *at; at++)
		*VECTOR_ADD(arena, &arguments) = *at;
	if (needs_brackets_flag())
		*VECTOR_ADD(arena, &arguments) = "-fdouble-square-bracket-attributes";
	if (options->wants_skipped)
		flags |= CXTranslationUnit_DetailedPreprocessingRecord;
	index = lib.createIndex(0, 0);
	code = lib.parseTranslationUnit2(index, UNIT_NAME, arguments.items, (int)arguments.n,
					 &file, 1, flags, &unit);
	if (code == CXError_Success) {
		lib.visitChildren(lib.getTranslationUnitCursor(unit), on_declaration, reader);
		errors_read(reader, unit, ret);
		if (options->wants_skipped)
			skipped_read(reader, unit, ret);
		ret->target = target_read(reader, unit);
		ret->declarations = reader->declarations.items;
		ret->n_declarations = reader->declarations.n;
		lib.disposeTranslationUnit(unit);
	} else {
		r = cell_fail(err, -EINVAL, "libclang cannot parse this file (error %d)",
			      code);
	}
	lib.disposeIndex(index);
	return r;
}
