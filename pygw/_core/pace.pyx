# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a timer that makes the thread which entered it give way again and again.
# Thread and GIL: any thread beside a loop; the signal's handler needs no GIL.
# Never does: reach another thread: the signal is this thread's own.
# Read next: pygw/background.py, which works at this pace.
"""How a thread with long work leaves the processor to a loop that wants it.

The kernel looks who should run when somebody wakes, and else only at its tick: up to 4 ms apart.
A loop that had no right to run when it woke waits until then. So the worker beside it asks the
kernel itself, far more often: a timer interrupts it with a signal whose handler is sched_yield(2).
That forfeits what is left of the thread's slice, so that it asks at the slice's end. (To sleep for
the shortest time instead lets the processor rest, and costs a virtual machine ten times as much.)
"""

cdef extern from *:
    """
    #include <errno.h>
    #include <sched.h>
    #include <signal.h>
    #include <string.h>
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>

    static void pace_next(int timer, long in_ns) {
        struct itimerspec when;
        memset(&when, 0, sizeof when);
        when.it_value.tv_nsec = in_ns;
        syscall(SYS_timer_settime, timer, 0, &when, NULL);
    }

    /* The next time is counted from the end of this one, which may last: a busy loop comes first.
       A timer that goes on by itself would leave no time in between. */
    static void pace_on_signal(int number, siginfo_t *told, void *context) {
        int before = errno;
        (void)number;
        (void)context;
        sched_yield();
        if (told->si_code == SI_TIMER)
            pace_next(told->si_timerid, told->si_value.sival_int);
        errno = before;
    }

    static int pace_handle(int number) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_sigaction = pace_on_signal;
        action.sa_flags = SA_RESTART | SA_SIGINFO;
        return sigaction(number, &action, NULL);
    }

    /* The kernel's own call: only it knows timers whose signal goes to one thread everywhere. */
    static int pace_start(int number, int *timer, int every_ns) {
        struct sigevent event;
        memset(&event, 0, sizeof event);
        event.sigev_signo = number;
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_value.sival_int = every_ns;
        event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, timer) != 0)
            return -1;
        pace_next(*timer, every_ns);
        return 0;
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
    int pace_start(int number, int* timer, int every_ns) noexcept nogil
    void pace_stop(int timer) noexcept nogil
    int pace_slack(int ns) noexcept nogil

cdef enum:
    EVERY_NS = 200000         # as long as the slice that a job asks for: it forfeits nothing


def pace_signal():
    """The number of the signal: among those that neither libc nor Python needs."""
    return SIGRTMIN + 6


cdef class Pace:
    """While this context lasts, the thread that entered it gives way every 0.2 ms.

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
