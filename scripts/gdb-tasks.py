"""Show the stacks of a cell: which handler waits where, and the loops that are parked.

usage, on a running cell or a core file:
	gdb -x scripts/gdb-tasks.py -p PID
	(gdb) cell-tasks            list all stacks
	(gdb) cell-tasks bt         ... with a backtrace of each that does not run
	(gdb) cell-tasks bt ADDRESS ... of one

gdb follows only stacks that run. For the others we answer as an unwinder: the frame that
gdb is at was called by what task_stack_swap() left on the stack (core/libcell/task_stack.c
says in which order). Needs the debug information of libcell, and a libcell that switches
by assembly.
"""

import gdb
import gdb.unwinder

# What task_stack_swap() pushes, as (register, offset), and its size.
PUSHED = {
    "i386:x86-64": (
        [("r15", 8), ("r14", 16), ("r13", 24), ("r12", 32), ("rbx", 40), ("rbp", 48), ("rip", 56)],
        64, "rsp", "rip"),
    "aarch64": (
        [("x%d" % (19 + i), 8 * i) for i in range(10)] + [("x29", 80), ("x30", 88), ("pc", 88)],
        176, "sp", "pc"),
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """While `saved` is set, claims that the innermost frame was called from there."""

    def __init__(self):
        super().__init__("cell-tasks")
        self.saved = None
        self.innermost = None

    def __call__(self, pending):
        if self.saved is None:
            return None
        registers, size, sp_name, pc_name = PUSHED[pending.architecture().name()]
        sp, pc = pending.read_register(sp_name), pending.read_register(pc_name)
        if (int(sp), int(pc)) != self.innermost:
            return None
        # An id below the stack: gdb takes a caller with a lower address for damage.
        below = gdb.Value(self.saved - 4096).cast(sp.type)
        info = pending.create_unwind_info(FrameId(below, pc))
        word = gdb.lookup_type("unsigned long")
        for name, offset in registers:
            at = gdb.Value(self.saved + offset).cast(word.pointer())
            value = at.dereference()
            like = pending.read_register(name).type
            info.add_saved_register(name, value.cast(word).cast(like))
        info.add_saved_register(sp_name, gdb.Value(self.saved + size).cast(sp.type))
        return info


unwinder = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def backtrace(saved):
    """Print the stack that was left at SAVED, without the frame that gdb is at."""
    gdb.execute("frame 0", to_string=True)
    frame = gdb.newest_frame()
    _, _, sp_name, pc_name = PUSHED[frame.architecture().name()]
    unwinder.innermost = (int(frame.read_register(sp_name)), int(frame.read_register(pc_name)))
    unwinder.saved = saved
    try:
        gdb.invalidate_cached_frames()
        lines = gdb.execute("backtrace", to_string=True).splitlines()[1:]
        for number, line in enumerate(lines):
            print("    #%-3d%s" % (number, line[line.index(" "):].lstrip()))
    finally:
        unwinder.saved = None
        gdb.invalidate_cached_frames()


def all_tasks():
    symbol = gdb.lookup_static_symbol("task_all")
    if symbol is None:
        raise gdb.GdbError("no symbol task_all: is this a cell, with debug information?")
    task = symbol.value()
    while task:
        yield task
        task = task["next"]


class CellTasks(gdb.Command):
    """List the stacks of a cell: cell-tasks [bt [ADDRESS]]"""

    def __init__(self):
        super().__init__("cell-tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) > 2 or (words and words[0] != "bt"):
            raise gdb.GdbError("usage: cell-tasks [bt [ADDRESS]]")
        only = int(gdb.parse_and_eval(words[1])) if len(words) > 1 else None
        tasks = [t for t in all_tasks() if only is None or int(t) == only]
        if only is not None and not tasks:
            raise gdb.GdbError("no task at 0x%x" % only)
        for task in tasks:
            state = str(task["state"]).replace("TASK_", "").lower()
            base = int(task["stack"]["base"])
            where = "main's own" if base == 0 else "at 0x%x" % base
            print("%s %-8s stack %s" % (hex(int(task)), state, where))
            if words and state != "running":
                backtrace(int(task["stack"]["saved"]))


CellTasks()
