/*
 * nabench_firmware.h: what a firmware exports so that nabench can run it as a shared library.
 *
 *     gcc -shared -fPIC -I . -o bms.so *.c          nabench run hvil-open --dut native:bms.so
 *
 * The bench loads the library into a process of its own and calls it from one thread, in this order:
 *
 *     nab_abi, nab_init, then in every tick: nab_push for each frame, nab_step once, nab_pop until it says 0
 *
 * Loss of supply is the end of that process; power-on is a new one. So nothing survives but non-volatile memory, and
 * variables have their initial values, as after the start-up code of a controller. There is nothing to reset by hand.
 *
 * Time is virtual and counts in nanoseconds. It moves only by nab_step; a firmware must not look at a clock. All pointers
 * belong to the caller and are valid during the call only, except `host` and what it holds, which stay valid.
 *
 * A crash, an exit, a step that does not come back and a frame that cannot exist end the firmware; the run goes on
 * without it, as it would with a controller that died.
 */
#ifndef NABENCH_FIRMWARE_H
#define NABENCH_FIRMWARE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NAB_ABI 1u        /* of this file; nab_abi returns it */
#define NAB_POP_MAX 256   /* frames in a tick; more is babbling, and ends the firmware */
#define NAB_NVM_SIZE 65536u /* non-volatile memory [byte] */
#define NAB_NVM_ERASED 0xFFu /* what a byte reads that was never written */

/* Sum of these in nab_frame.flags. */
#define NAB_EXTENDED 1u /* id of 29 bits */
#define NAB_FD 2u       /* CAN FD frame, up to 64 bytes */

/* A CAN frame, 80 bytes without padding. */
struct nab_frame {
    int64_t t_ns;     /* when it ended on the bus [ns]; the bench looks at it in no frame that it takes */
    uint32_t id;      /* 11 bits, or 29 with NAB_EXTENDED */
    uint8_t bus;      /* number of the bus, in the order of the network file, from 0 */
    uint8_t flags;    /* see above */
    uint8_t len;      /* bytes in data: 0 to 8; with NAB_FD also 12, 16, 20, 24, 32, 48, 64 */
    uint8_t reserved; /* 0 */
    uint8_t data[64]; /* what lies behind len is 0 */
};

/* What the bench offers. */
struct nab_host {
    uint32_t abi;      /* NAB_ABI */
    uint32_t size;     /* of this struct [byte]; later versions only add at its end */
    int64_t tick_ns;   /* distance of two calls of nab_step [ns] */
    uint32_t n_buses;  /* of the network */
    uint32_t nvm_size; /* NAB_NVM_SIZE */

    /* Copy non-volatile memory from or to the byte at `offset`. 0: done; -1: outside of the memory, nothing was done.
     * A write is there at once, and survives whatever happens afterwards. A loss of supply in the middle of one leaves
     * its first half, and NAB_NVM_ERASED behind that. */
    int (*nvm_read)(uint32_t offset, void *to, uint32_t len);
    int (*nvm_write)(uint32_t offset, const void *from, uint32_t len);
};

/* Version of this file that the firmware was built with: return NAB_ABI. */
uint32_t nab_abi(void);

/* Power-on at t_ns [ns], once in the life of the process. 0: running; anything else: it cannot work, and the run is an
 * error. */
int nab_init(const struct nab_host *host, int64_t t_ns);

/* A frame has arrived, in order of arrival. 0: taken; anything else: no room, it is lost (the bench counts these). */
int nab_push(const struct nab_frame *frame);

/* Work until t_ns [ns], one tick after the last call: the tasks that are due. What they send goes into a queue. */
void nab_step(int64_t t_ns);

/* Take the oldest frame out of the queue into *frame. 1: taken; 0: the queue is empty. The bench puts the frames of a tick
 * onto their buses one after another from the end of the tick on. */
int nab_pop(struct nab_frame *frame);

/* Optional. Write now what is kept in non-volatile memory, all of it, by nvm_write. Called just before a loss of supply
 * that is to fall into such a write (fault reset_torn_write). Without it that works only while the firmware happens to
 * write in the tick before. */
void nab_save(void);

#ifdef __cplusplus
}
#endif
#endif
