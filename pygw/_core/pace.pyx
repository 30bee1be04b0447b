# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a timer that makes the thread which entered it give way again and again.
# Thread and GIL: any thread beside a loop; the signal's handler needs no GIL.
# Never does: reach another thread: the signal is this thread's own.
# Read next: pygw/background.py, which works at this pace.
"""How a thread with long work leaves the processor to a loop that wants it.

The kernel looks who should run when somebody wakes, and else only at its tick: up to 4 ms apart.
A loop that had no right to run when it woke waits until then. So the worker beside it asks the
kernel itself, far more often: a timer interrupts it with a signal whose handler sleeps for the
shortest time there is. (sched_yield(2) would forfeit what is left of a slice: on a busy machine the
work took five times as long.)
"""

cdef extern from *:
    """
    #include <errno.h>
    #include <signal.h>
    #include <string.h>
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>

    static void pace_on_signal(int number) {
        static const struct timespec least = {0, 1};
        int before = errno;
        (void)number;
        nanosleep(&least, NULL);
        errno = before;
    }

    static int pace_handle(int number) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = pace_on_signal;
        action.sa_flags = SA_RESTART;
        return sigaction(number, &action, NULL);
    }

    /* The kernel's own call: only it knows timers whose signal goes to one thread everywhere. */
    static int pace_start(int number, int *timer, long every_ns) {
        struct sigevent event;
        struct itimerspec when;
        memset(&event, 0, sizeof event);
        event.sigev_signo = number;
        event.sigev_notify = SIGEV_THREAD_ID;
        event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, timer) != 0)
            return -1;
        when.it_value.tv_sec = when.it_interval.tv_sec = 0;
        when.it_value.tv_nsec = when.it_interval.tv_nsec = every_ns;
        if (syscall(SYS_timer_settime, *timer, 0, &when, NULL) == 0)
            return 0;
        syscall(SYS_timer_delete, *timer);
        return -1;
    }

    static void pace_stop(int timer) { syscall(SYS_timer_delete, timer); }

    /* Else the kernel adds 50 us to each sleep. Gives what it was. */
    static int pace_slack(int ns) {
        int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
        prctl(PR_SET_TIMERSLACK, (unsigned long)ns, 0, 0, 0);
        return before;
    }
    """
    int SIGRTMIN
    int pace_handle(int number) noexcept nogil
    int pace_start(int number, int* timer, long every_ns) noexcept nogil
    void pace_stop(int timer) noexcept nogil
    int pace_slack(int ns) noexcept nogil

cdef enum:
    EVERY_NS = 100000         # as long as the least slice that the kernel gives anybody


def pace_signal():
    """The number of the signal: among those that neither libc nor Python needs."""
    return SIGRTMIN + 6


cdef class Pace:
    """While this context lasts, the thread that entered it gives way every 0.1 ms.

    A kernel that refuses the timer leaves everything as it was. System calls that are interrupted
    go on (SA_RESTART), but one that has written a part says so: write to pipes outside.
    """
    cdef int timer
    cdef int slack_ns

    def __enter__(self):
        self.slack_ns = pace_slack(1)
        if (pace_handle(pace_signal()) != 0
                or pace_start(pace_signal(), &self.timer, EVERY_NS) != 0):
            self.timer = -1
        return self

    def __exit__(self, *error):
        if self.timer >= 0:
            pace_stop(self.timer)
            self.timer = -1
        if self.slack_ns > 0:
            pace_slack(self.slack_ns)
