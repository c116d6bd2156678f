# Tasks that wait for each other do it with an eventfd.
macro_IMPURE := event
