/* Which program this is: the build id that the linker put into it. */
#include "macro_work.h"

#include <elf.h>
#include <link.h>
#include <string.h>

struct build_id {
	const uint8_t *bytes;
	size_t len;
};

static size_t round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* The GNU build id among LEN bytes of notes. */
static bool find_note(const uint8_t *notes, size_t len, size_t align, struct build_id *ret)
{
	ElfW(Nhdr) note;

	for (size_t at = 0; at + sizeof note <= len;) {
		size_t name = at + sizeof note, body, end;

		memcpy(&note, notes + at, sizeof note);
		if (note.n_namesz > len || note.n_descsz > len)
			return false;
		body = round_up(name + note.n_namesz, align);
		end = body + note.n_descsz;
		if (end > len)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
		    memcmp(notes + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
			*ret = (struct build_id){ notes + body, note.n_descsz };
			return true;
		}
		at = round_up(end, align);
	}
	return false;
}

/* The first object is the program itself; the others are its libraries. */
static int on_object(struct dl_phdr_info *info, size_t size, void *userdata)
{
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_NOTE &&
		    find_note((const uint8_t *)(info->dlpi_addr +
						header->p_vaddr), /* NOLINT */
			      header->p_memsz, header->p_align == 8 ? 8 : 4, userdata))
			break;
	}
	return 1;
}

void macro_program(const uint8_t **ret_id, size_t *ret_len)
{
	struct build_id id = { NULL, 0 };

	(void)dl_iterate_phdr(on_object, &id);
	*ret_id = id.bytes;
	*ret_len = id.len;
}
