/* Lets a user-mode Linux 6.1 run where a process has more registers than it knows of (AMX: 11 instead of 2.6 KB).
 *
 * It reads as many bytes of the extended state as it has room for, and writes those back; a kernel takes nothing but the
 * whole. So the rest, which no program here has in use, is read first and written again. For LD_PRELOAD.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char whole[1 << 16]; /* not on the stack: a kernel's is small, and this kernel has one processor */

static int set_extended_state(pid_t pid, struct iovec *given)
{
    struct iovec all = {whole, sizeof whole};
    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) < 0)
        return -1;
    if (given->iov_len >= all.iov_len)
        all = *given;
    else
        memcpy(whole, given->iov_base, given->iov_len);
    return (int)syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list rest;
    va_start(rest, request);
    pid_t pid = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
    va_end(rest);
    if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
        return set_extended_state(pid, data);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word; /* the system call stores it, the function returns it */
        return syscall(SYS_ptrace, request, pid, address, &word) < 0 ? -1 : word;
    }
    return syscall(SYS_ptrace, request, pid, address, data);
}
