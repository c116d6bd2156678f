/*
 * The notes are written as assembly at file scope: that is the only way to give a section its
 * type and flags which gcc and clang both have.
 */
#include "note.h"

#include <elf.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char owner[] = "Cell";

void note_digest(uint8_t digest[NOTE_DIGEST_SIZE], const void *bytes, size_t len)
{
	(void)crypto_generichash(digest, NOTE_DIGEST_SIZE, bytes, len, NULL, 0);
}

/* ---- writing ----------------------------------------------------------------------------
 */

/* TEXT and its NUL, inside of a C string that is inside of .ascii "…". */
static void write_text(FILE *out, const char *text)
{
	size_t column = 0;

	(void)fputs("\t\"\t.ascii \\\"", out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (column == 60) {
			(void)fputs("\\\"\\n\"\n\t\"\t.ascii \\\"", out);
			column = 0;
		}
		/* '%' and '?' mean nothing here, '\\' and '"' do twice. */
		if (c >= ' ' && c < 0x7f && c != '\\' && c != '"' && c != '?')
			(void)putc(c, out);
		else
			(void)fprintf(out, "\\\\%03o", c);
		column++;
	}
	(void)fputs("\\\\000\\\"\\n\"\n", out);
}

static void write_note(FILE *out, const struct note *note)
{
	(void)fprintf(out,
		      "\t\"\t.balign 4\\n\"\n"
		      "\t\"\t.4byte %zu, 8f - 7f, %d\\n\"\n"
		      "\t\"\t.asciz \\\"%s\\\"\\n\"\n"
		      "\t\"\t.balign 4\\n\"\n"
		      "\t\"7:\\n\"\n",
		      sizeof owner, (int)note->kind, owner);
	(void)fputs("\t\"\t.byte ", out);
	for (size_t i = 0; i < NOTE_DIGEST_SIZE; i++)
		(void)fprintf(out, "%s%u", i ? "," : "", note->digest[i]);
	(void)fputs("\\n\"\n", out);
	write_text(out, note->name);
	write_text(out, note->source);
	write_text(out, note->words);
	write_text(out, note->text);
	(void)fputs("\t\"8:\\n\"\n", out);
}

static void write_section(FILE *out, const char *section, const char *flags,
			  const struct note *notes, size_t n, bool layouts)
{
	bool is_open = false;

	for (size_t i = 0; i < n; i++) {
		if ((notes[i].kind == NOTE_LAYOUT) != layouts)
			continue;
		if (!is_open)
			(void)fprintf(
				out,
				"__asm__(\n\t\"\t.pushsection %s,\\\"%s\\\",%%note\\n\"\n",
				section, flags);
		is_open = true;
		write_note(out, &notes[i]);
	}
	if (is_open)
		(void)fputs("\t\"\t.balign 4\\n\"\n\t\"\t.popsection\\n\");\n", out);
}

const char *note_source(const struct note *notes, size_t n, struct cell_arena *arena)
{
	char *text = NULL, *copy;
	size_t len = 0;
	FILE *out;

	if (n == 0)
		return "";
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	/* As in a system header, so that no warning is about it. */
	(void)fputs("\n# 1 \"<cell notes>\" 3\n", out);
	write_section(out, NOTE_SECTION, "a", notes, n, true);
	write_section(out, NOTE_SECTION_UNIT, "e", notes, n, false);
	copy = fclose(out) == 0 ? cell_arena_strndup(arena, text, len) : NULL;
	free(text);
	return copy;
}

/* ---- reading ------------------------------------------------------------------------------
 */

/* Numbers as the object has them. */
struct view {
	const uint8_t *bytes;
	size_t len;
	bool is_big_endian;
};

/* N bytes at OFFSET as a number; 0, and *RET_OK false, if they are not there. */
static uint64_t number(const struct view *view, uint64_t offset, size_t n, bool *ret_ok)
{
	uint64_t value = 0;

	if (offset > view->len || n > view->len - offset) {
		*ret_ok = false;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)view->bytes[offset + i]
			 << 8 * (view->is_big_endian ? n - 1 - i : i);
	return value;
}

/* The string at *AT, which is moved behind it; NULL if it does not end in there. */
static const char *string_next(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = end > text ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

static bool description_read(struct note *note, uint64_t kind, const uint8_t *bytes,
			     size_t len)
{
	const char *at = (const char *)bytes + NOTE_DIGEST_SIZE,
		   *end = (const char *)bytes + len;

	if (kind < NOTE_LAYOUT || kind > NOTE_LINK || len < NOTE_DIGEST_SIZE)
		return false;
	note->kind = (enum note_kind)kind;
	memcpy(note->digest, bytes, NOTE_DIGEST_SIZE);
	note->name = string_next(&at, end);
	note->source = note->name ? string_next(&at, end) : NULL;
	note->words = note->source ? string_next(&at, end) : NULL;
	note->text = note->words ? string_next(&at, end) : NULL;
	return note->text != NULL;
}

int note_read(const void *bytes, size_t len, bool is_big_endian, note_fn *on_note,
	      void *userdata, struct cell_error *err)
{
	struct view view = { bytes, len, is_big_endian };

	for (uint64_t at = 0; at < len;) {
		bool ok = true;
		uint64_t name_len = number(&view, at, 4, &ok);
		uint64_t text_len = number(&view, at + 4, 4, &ok);
		uint64_t kind = number(&view, at + 8, 4, &ok);
		uint64_t name = at + 12, text = name + ((name_len + 3) & ~UINT64_C(3));
		struct note note;
		int r;

		if (!ok || text > len || text_len > len - text)
			return cell_fail(err, -EPROTO, "a note is longer than its section");
		at = text + ((text_len + 3) & ~UINT64_C(3));
		if (name_len != sizeof owner ||
		    memcmp(view.bytes + name, owner, sizeof owner) != 0)
			continue;
		if (!description_read(&note, kind, view.bytes + text, (size_t)text_len))
			return cell_fail(err, -EPROTO, "a note of kind %llu makes no sense",
					 (unsigned long long)kind);
		r = on_note(userdata, &note);
		if (r != 0)
			return r;
	}
	return 0;
}

/* ---- ELF
 * ------------------------------------------------------------------------------------- */

struct section {
	uint64_t name, type, offset, size;
};

struct elf {
	struct view view;
	bool is_64;
	uint64_t sections; /* where their headers are */
	uint64_t header_size;
	uint64_t n_sections;
	uint64_t names; /* the index of the section with their names */
};

static struct section section_read(const struct elf *elf, uint64_t index, bool *ok)
{
	uint64_t at = elf->sections + index * elf->header_size;
	size_t word = elf->is_64 ? 8 : 4;

	return (struct section){
		.name = number(&elf->view, at, 4, ok),
		.type = number(&elf->view, at + 4, 4, ok),
		.offset = number(&elf->view, at + 8 + 2 * word, word, ok),
		.size = number(&elf->view, at + 8 + 3 * word, word, ok),
	};
}

static bool elf_read(struct elf *elf, const uint8_t *bytes, size_t len)
{
	bool ok = true;
	size_t word;

	if (len < sizeof(Elf32_Ehdr) || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return false;
	*elf = (struct elf){ .view = { bytes, len, bytes[EI_DATA] == ELFDATA2MSB },
			     .is_64 = bytes[EI_CLASS] == ELFCLASS64 };
	word = elf->is_64 ? 8 : 4;
	elf->sections = number(&elf->view, 24 + 2 * word, word, &ok);
	elf->header_size = number(&elf->view, elf->is_64 ? 58 : 46, 2, &ok);
	elf->n_sections = number(&elf->view, elf->is_64 ? 60 : 48, 2, &ok);
	elf->names = number(&elf->view, elf->is_64 ? 62 : 50, 2, &ok);
	if (!ok || elf->sections == 0 || elf->sections >= len ||
	    elf->header_size != (elf->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr)))
		return false;
	/* Too many for the header: the first section says how many. */
	if (elf->n_sections == 0)
		elf->n_sections = section_read(elf, 0, &ok).size;
	if (elf->names == SHN_XINDEX)
		elf->names =
			number(&elf->view, elf->sections + (elf->is_64 ? 40 : 24), 4, &ok);
	return ok && elf->n_sections <= len / elf->header_size &&
	       elf->names < elf->n_sections;
}

static bool name_is(const struct elf *elf, const struct section *names, uint64_t name,
		    const char *wanted)
{
	size_t len = strlen(wanted) + 1;

	return name < names->size && len <= names->size - name &&
	       memcmp(elf->view.bytes + names->offset + name, wanted, len) == 0;
}

int note_read_object(const uint8_t *bytes, size_t len, note_fn *on_note, void *userdata,
		     struct cell_error *err)
{
	struct section names;
	struct elf elf;
	bool ok = true;
	int r = 0;

	if (!elf_read(&elf, bytes, len))
		return 0;
	names = section_read(&elf, elf.names, &ok);
	if (!ok || names.offset > len || names.size > len - names.offset)
		return 0;
	for (uint64_t i = 1; i < elf.n_sections && r == 0; i++) {
		struct section section = section_read(&elf, i, &ok);

		if (!ok || (!name_is(&elf, &names, section.name, NOTE_SECTION) &&
			    !name_is(&elf, &names, section.name, NOTE_SECTION_UNIT)))
			continue;
		if (section.type == SHT_NOBITS || section.offset > len ||
		    section.size > len - section.offset)
			return cell_fail(err, -EPROTO, "%s lies outside of the file",
					 NOTE_SECTION);
		r = note_read(bytes + section.offset, (size_t)section.size,
			      elf.view.is_big_endian, on_note, userdata, err);
	}
	return r;
}

/* ---- archives
 * ------------------------------------------------------------------------------------ */

#define ARCHIVE_MAGIC  "!<arch>\n"
#define ARCHIVE_HEADER 60

bool note_is_archive(const uint8_t *bytes, size_t len)
{
	return len >= strlen(ARCHIVE_MAGIC) &&
	       memcmp(bytes, ARCHIVE_MAGIC, strlen(ARCHIVE_MAGIC)) == 0;
}

/* A name of an archive: "x.o/", or "/123" in the table of long ones. */
static void member_name(char *name, size_t size, const uint8_t *header, const uint8_t *longs,
			size_t longs_len)
{
	const char *from = (const char *)header;
	size_t len = 16;

	if (header[0] == '/' && header[1] >= '0' && header[1] <= '9') {
		unsigned long at = strtoul(from + 1, NULL, 10);

		len = at < longs_len ? longs_len - at : 0;
		from = len ? (const char *)longs + at : "";
	}
	if (len >= size)
		len = size - 1;
	memcpy(name, from, len);
	name[len] = '\0';
	name[strcspn(name, "/\n ")] = '\0';
}

int note_each_object(const uint8_t *bytes, size_t len, note_object_fn *on_object,
		     void *userdata)
{
	const uint8_t *longs = NULL;
	size_t longs_len = 0, at = strlen(ARCHIVE_MAGIC);
	char name[256], digits[11];
	int r = 0;

	while (r == 0 && at < len && len - at >= ARCHIVE_HEADER) {
		const uint8_t *header = bytes + at;
		size_t size;

		memcpy(digits, header + 48, 10);
		digits[10] = '\0';
		size = strtoul(digits, NULL, 10);
		at += ARCHIVE_HEADER;
		if (size > len - at)
			break;
		if (header[0] == '/' && header[1] == '/') {
			longs = bytes + at;
			longs_len = size;
		} else if (header[0] != '/' || header[1] != ' ') {
			member_name(name, sizeof name, header, longs, longs_len);
			r = on_object(userdata, name, bytes + at, size);
		}
		at += size + (size & 1);
	}
	return r;
}
