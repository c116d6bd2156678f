# mdoc(7) pages; the suffix is the section.
MAN_PAGES := $(wildcard man/*.[1-9])
