# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: the only door for Python into the data plane.
# Thread and GIL: called on the loop's thread, under the GIL, between the loop's callbacks.
# Never does: touch traffic.
# Read next: host.pyx.
"""The data plane of one worker process: ``Worker``."""

import asyncio
import os

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport uint32_t, uint64_t
from posix.mman cimport mmap, munmap, MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE
from posix.types cimport off_t
from posix.resource cimport getrlimit, rlimit, RLIMIT_NOFILE
from pygw._core.access_log cimport access_log_flush, access_log_reopen
from pygw._core.bill_read cimport bills_of
from pygw._core.bills cimport bills_open
from pygw._core.build cimport plan_build_within, plan_bytes, plan_free
from pygw._core.down cimport down_t
from pygw._core.hooks cimport runtime_find
from pygw._core.host cimport *
from pygw._core.libs.uv cimport loop_ptr, uv_loop_t
from pygw._core.limits cimport BILL_ROWS, PLAN_BYTES_MAX, PLANS_MAX, RESERVED_FILES
from pygw._core.listener cimport listener_close, listener_open
from pygw._core.stats cimport SHARE_BYTES, ST_COUNT, STATS_BYTES, stat_get
from pygw._core.stats import stats_names
from pygw._core.transport cimport transports_flush
from pygw._core.types.exchange cimport exchange_t, plan_t

HOLDERS_SHOWN = 5   # routes that a refusal for want of room names
POLL_S = 0.005      # how often an ending worker looks whether everything is closed


cdef class Compiled:
    """A plan that ``Worker.compile`` made and no worker serves by yet."""

    cdef plan_t* plan         # own, until it is prepared

    def __dealloc__(self):
        if self.plan != NULL:
            plan_free(self.plan)


def plan_check(bytes plan_json not None):
    """Raises PlanError (a ValueError), naming the place and the fault, for a plan that no worker
    would take. Legal on any thread, and where no worker is."""
    plan_free(plan_build_within(plan_json, PLAN_BYTES_MAX))


def hook_check(str runtime, bytes code, str file, config) -> None:
    """Raises ValueError for a hook that no worker would take: HookConfigError, if that is because
    of its configuration. Imports code in Python; legal on any thread, and where no worker is."""
    runtime_find(runtime)[1](code, file, config)


cdef class Worker:
    """Listens, relays and logs on a running uvloop loop.

    ``loop`` is that loop. ``index`` says which page of the shared block ``shared_fd`` (a memfd; -1:
    none) holds this worker's counters. ``access_log_fd`` is copied (-1: no access log).
    Raises TypeError for a loop that is not uvloop's, OSError when memory or randomness fail.
    Before the loop ends, ``drain`` or ``stop`` must have returned.
    """

    cdef worker_t* w
    cdef plan_t* prepared     # own; NULL: none
    cdef void* page
    cdef bint shared
    cdef object loop

    def __cinit__(self, object loop, int index, int shared_fd=-1, int access_log_fd=-1):
        cdef uv_loop_t* uv_loop = loop_ptr(loop)
        cdef int log_fd = -1
        cdef int error
        self.loop = loop
        self.w = <worker_t*>PyMem_RawCalloc(1, sizeof(worker_t))
        if self.w == NULL:
            raise MemoryError
        if shared_fd >= 0:
            self.page = mmap(NULL, SHARE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd,
                             <off_t>index * SHARE_BYTES)
            if self.page == MAP_FAILED:
                self.page = NULL
                raise OSError("the shared block can not be mapped")
            self.shared = True
        else:
            self.page = PyMem_RawCalloc(1, SHARE_BYTES)
            if self.page == NULL:
                raise MemoryError
        if access_log_fd >= 0:
            log_fd = os.dup(access_log_fd)
        error = host_init(self.w, uv_loop, <uint64_t*>self.page, log_fd)
        if error != 0:
            raise OSError("the data plane can not start: no memory or no randomness")
        bills_open(&self.w.bills, &self.w.host, <char*>self.page + STATS_BYTES, BILL_ROWS)

    def __dealloc__(self):
        if self.w != NULL:
            if host_closed(self.w):
                host_fini(self.w)
                PyMem_RawFree(self.w)
            # else it was never stopped: the loop still points into it, so its memory stays
        if self.page != NULL:
            if self.shared:
                munmap(self.page, SHARE_BYTES)
            else:
                PyMem_RawFree(self.page)

    def compile(self, bytes plan_json not None):
        """The plan of this text, which touches nothing that is served: legal on any thread.

        Raises PlanError (a ValueError) naming the place and the fault.
        """
        cdef Compiled made = Compiled()
        # Read here while the loop may write it: an old figure is as good, `prepare` looks again.
        made.plan = plan_build_within(plan_json, PLAN_BYTES_MAX - self.w.plans_bytes)
        made.plan.limits.max_connections = min(made.plan.limits.max_connections,
                                               self._connections())
        return made

    def prepare(self, Compiled made not None):
        """Does all that can fail before this plan is served: ``commit`` or ``drop`` must follow.

        Raises RuntimeError when too many old plans are still in use, or too much of them, and for
        a hook that cannot be loaded, with what it said.
        """
        cdef plan_t* plan = made.plan
        cdef char why[1024]   # HOOK_ERROR_MAX
        if plan == NULL or self.prepared != NULL:
            raise RuntimeError("one plan after the other, each once")
        if self.w.plans >= PLANS_MAX:
            raise RuntimeError(f"{self.w.plans} plans are still in use by running exchanges"
                               + self._holders())
        if self.w.plans_bytes + plan_bytes(plan) > PLAN_BYTES_MAX:
            raise RuntimeError(f"{self.w.plans} plans of {self.w.plans_bytes} bytes are still in"
                               f" use by running exchanges: no room for {plan_bytes(plan)} more"
                               + self._holders())
        if host_prepare(self.w, plan, why) != 0:
            if why[0] != 0:
                raise RuntimeError(why.decode(errors="replace"))
            raise MemoryError
        self.prepared = plan
        made.plan = NULL

    def _holders(self):
        # Who keeps old plans: routes, how many of their exchanges, the age of the oldest.
        cdef down_t* d = self.w.downs.first
        cdef exchange_t* x
        cdef uint64_t now_ns = self.w.host.now_ns(&self.w.host)
        held = {}
        while d != NULL:
            x = d.exchange
            d = d.next
            if x == NULL or x.plan == self.w.plan or x.route == NULL:
                continue
            name = x.route.name.ptr[:x.route.name.len].decode()
            count, age_s = held.get(name, (0, 0))
            held[name] = count + 1, max(age_s, (now_ns - x.started_ns) // 1000000000)
        oldest = sorted(held.items(), key=lambda one: -one[1][1])[:HOLDERS_SHOWN]
        return "".join(f"; route {name}: {count}, the oldest since {age_s} s"
                       for name, (count, age_s) in oldest)

    def commit(self):
        """Serves by the prepared plan from now on; running exchanges keep the one they began
        with."""
        if self.prepared == NULL:
            raise RuntimeError("no plan was prepared")
        host_commit(self.w, self.prepared)
        self.prepared = NULL

    def drop(self):
        """Forgets the prepared plan, if there is one."""
        if self.prepared != NULL:
            host_drop(self.w, self.prepared)
            self.prepared = NULL

    def publish(self, bytes plan_json not None):
        """Compiles, prepares and commits; when one of these raises, the current plan stays."""
        self.prepare(self.compile(plan_json))
        self.commit()

    cdef uint32_t _connections(self) except 0:
        # Each client may need a connection to a target: half of the descriptors are theirs.
        cdef rlimit files
        getrlimit(RLIMIT_NOFILE, &files)
        if files.rlim_cur <= RESERVED_FILES + 2:
            return 1
        return <uint32_t>min((files.rlim_cur - RESERVED_FILES) // 2, 0x7FFFFFFF)

    def listen(self, int fd, str listener not None, uint32_t key=0):
        """Accepts clients at a copy of ``fd``, a bound TCP or unix stream socket.

        ``listener`` names it in the current plan, ``key`` for ``unlisten``. Raises LookupError for
        an unknown name, OSError when the socket can not listen.
        """
        cdef plan_t* plan = self.w.plan
        cdef uint32_t i
        cdef bytes name = listener.encode()
        if plan == NULL:
            raise RuntimeError("no plan was published")
        for i in range(plan.listener_count):
            if plan.listeners[i].name.ptr[:plan.listeners[i].name.len] == name:
                break
        else:
            raise LookupError(f"the plan has no listener {listener!r}")
        import socket
        with socket.socket(fileno=os.dup(fd)) as copy:
            is_unix = copy.family == socket.AF_UNIX
            error = listener_open(&self.w.listeners, copy.detach(), is_unix, i, key)
        if error != 0:
            raise OSError(-error, f"listener {listener!r}: {os.strerror(-error)}")

    def unlisten(self, uint32_t key):
        """Accepts no further clients at the socket with this key; its connections live on."""
        listener_close(&self.w.listeners, key)
        transports_flush(&self.w.transports)

    def reopen_log(self, int fd):
        """Writes the access log to a copy of ``fd`` from now on; what waits goes to the old one."""
        access_log_flush(&self.w.log)
        access_log_reopen(&self.w.log, os.dup(fd))

    def stats(self):
        """Counters by name, and live objects: ``live_exchanges``, ``live_buffers``,
        ``live_buffer_bytes``, ``live_slices``, ``live_mirrors``, ``live_deflaters``,
        ``deflater_bytes`` (spare ones too), ``live_connections`` (down and up),
        ``live_tunnels``, ``live_pools``, ``live_plans``, ``live_detached`` (exchanges without a
        client)."""
        cdef worker_t* w = self.w
        cdef uint64_t* counters = <uint64_t*>self.page
        cdef int i
        names = stats_names()
        out = {names[i]: stat_get(counters, i) for i in range(ST_COUNT)}
        out["live_exchanges"] = w.downs.exchanges.live
        out["live_buffers"] = w.buffers.live
        out["live_buffer_bytes"] = w.buffers.live_bytes
        out["live_slices"] = w.buffers.slices.live
        out["live_deflaters"] = w.deflaters.running
        out["deflater_bytes"] = w.deflaters.bytes
        out["live_mirrors"] = w.mirrors.blocks.live
        out["live_connections"] = w.transports.live
        out["live_tunnels"] = w.relays.blocks.live
        out["live_pools"] = w.pools.blocks.live
        out["live_plans"] = w.plans
        out["live_detached"] = w.detacheds.count
        return out

    def bills(self):
        """What filters cost, as ``bill_read.bills_read`` tells it."""
        return bills_of(self.w.bills.head)

    async def drain(self, double timeout_s, double idle_s=0, bint last=True):
        """Stops accepting, lets clients be answered within ``timeout_s`` seconds, then closes
        everything. True when no exchange had to be cut.

        Each connection ends with its next answer, which says so; one at rest waits ``idle_s``
        seconds for that request. ``last``: nobody accepts from its sockets after it, so it takes
        who waits in them.
        """
        deadline = self.loop.time() + timeout_s
        host_drain(self.w, <uint32_t>min(max(idle_s, 0) * 1000, 0x7FFFFFFF), last)
        transports_flush(&self.w.transports)
        while ((host_clients(self.w) or self.w.mirrors.blocks.live)
               and self.loop.time() < deadline):
            await asyncio.sleep(POLL_S)
        clean = self.w.downs.running == 0
        await self.stop()
        return clean

    async def stop(self):
        """Closes everything now; nothing happens when everything is closed already."""
        if host_closed(self.w):
            return
        self.drop()
        host_stop(self.w)
        transports_flush(&self.w.transports)
        while host_open(self.w):
            await asyncio.sleep(POLL_S)
        host_close(self.w)
        while not host_closed(self.w):
            await asyncio.sleep(POLL_S)
