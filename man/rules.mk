# mdoc(7) pages; the suffix is the section.
MAN_PAGES := $(wildcard man/*.[1-9])

# A page that describes several names is found under each: NAME.3:PAGE.3, only asked for when
# something is installed. Written as the one-line pages that man(1) follows.
ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
MAN_ALIASES := $(shell awk 'FNR == 1 { in_name = 0; n = split(FILENAME, part, "/"); page = part[n]; \
		sub(/\.[1-9]$$/, "", page); section = substr(part[n], length(part[n])) } \
	/^\.Sh/ { in_name = ($$2 == "NAME") } \
	in_name && /^\.Nm/ && $$2 != page { print $$2 "." section ":" page "." section }' \
	$(MAN_PAGES) /dev/null)
endif
alias_page = $(word 2,$(subst :, ,$(1)))
alias_name = $(word 1,$(subst :, ,$(1)))
define man_alias
$(O)/man/$(call alias_name,$(1)): man/$(call alias_page,$(1))
	@mkdir -p $$(@D)
	@echo '.so man$(subst .,,$(suffix $(1)))/$(call alias_page,$(1))' >$$@
MAN_LINKS += $(O)/man/$(call alias_name,$(1))
endef
$(foreach a,$(MAN_ALIASES),$(eval $(call man_alias,$(a))))
