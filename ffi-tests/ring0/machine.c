/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The machine: serial console, the ways to end a run (QEMU's isa-debug-exit,
 * Bochs' shutdown port), the interrupt table, traps, and the timer.
 *
 * The timer is a PIT that counts down once.  The end of each interrupt arms it
 * again with another interval.  So interrupts fall anywhere in the code, and
 * the interrupted code always makes progress.
 */

#include "fk_test.h"
#include "ring0.h"

#define	COM1		0x3f8
#define	PIC1		0x20
#define	PIC2		0xa0
#define	PIT		0x40
#define	DEBUG_EXIT	0xf4	/* status of QEMU: 2 * value + 1 */
#define	SHUTDOWN	0x8900	/* Bochs */

#define	TIMER_VECTOR	32
#define	SPURIOUS_VECTOR	(TIMER_VECTOR + 7)
#define	VECTORS		(TIMER_VECTOR + 8)
#define	DB		1
#define	NM		7
#define	TRAP_ENTRY	32	/* bytes */

/* PIT counts of 838 ns. */
#define	SHORTEST	12
#define	LONGEST		75

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, zero;
};

/* What the entries in boot.S leave on the stack. */
struct frame {
	uint64_t vector, error, rip, cs, rflags, rsp;
};

extern const char trap_entries[], timer_entry[], spurious_entry[];
extern const char step_entry[];

volatile unsigned level;
volatile uint64_t ticks, steps;

static struct gate idt[VECTORS];

static void
outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a" (value), "Nd" (port));
}

static uint8_t
inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a" (value) : "Nd" (port));
	return (value);
}

void
interrupts_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

void
interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

int
interrupts_are_on(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r" (flags));
	return ((flags & 0x200) != 0);
}

void
console_write(const char *text, size_t len)
{
	for (; len > 0; len--) {
		while (!(inb(COM1 + 5) & 0x20))
			continue;
		outb(COM1, (uint8_t)*text++);
	}
}

void
machine_exit(int passed)
{
	const char *shutdown = "Shutdown";

	interrupts_off();
	/* Bochs loses what is still in its transmitter. */
	console_write("\n\n", 2);
	while (!(inb(COM1 + 5) & 0x40))
		continue;
	outb(DEBUG_EXIT, passed ? 16 : 17);
	while (*shutdown != '\0')
		outb(SHUTDOWN, (uint8_t)*shutdown++);
	for (;;)
		__asm__ volatile("hlt");
}

/* Every trap is a fault of the code under test: the run ends. */
void
trap(const struct frame *f)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r" (cr2));
	if (f->vector == NM) {
		fk_printf("1 #NM at 0x%lx, level %u: x87 or vector "
		    "instruction outside a hold\n", f->rip, level);
	} else {
		fk_printf("trap %lu at 0x%lx, level %u, error 0x%lx, "
		    "cr2 0x%lx, rsp 0x%lx\n", f->vector, f->rip, level,
		    f->error, cr2, f->rsp);
	}
	check(0, "a trap");
	fk_printf("ring 0: stopped, %lu failed\n", failed());
	machine_exit(0);
}

void
timer_arm(void)
{
	static uint32_t random = 1;
	uint32_t count;

	random = random * 1664525 + 1013904223;
	count = SHORTEST + (random >> 16) % (LONGEST - SHORTEST);
	outb(PIT + 3, 0x30);
	outb(PIT, (uint8_t)count);
	outb(PIT, (uint8_t)(count >> 8));
}

/* Called from timer_entry with interrupts off. */
void
timer(void)
{
	outb(PIC1, 0x20);
	ticks++;
	level++;
	tick();
	level--;
	timer_arm();
}

static void
gate(unsigned n, const char *entry)
{
	uint64_t at = (uint64_t)entry;

	idt[n].offset0 = (uint16_t)at;
	idt[n].offset1 = (uint16_t)(at >> 16);
	idt[n].offset2 = (uint32_t)(at >> 32);
	idt[n].selector = 8;
	idt[n].type = 0x8e;	/* interrupt gate: interrupts off */
}

void
machine_init(void)
{
	struct {
		uint16_t limit;
		void *base;
	} __attribute__((packed)) idtr = { sizeof (idt) - 1, idt };
	unsigned i;

	outb(COM1 + 1, 0);	/* no interrupts */
	outb(COM1 + 3, 0x80);
	outb(COM1, 1);		/* 115200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);	/* 8N1 */

	for (i = 0; i < 32; i++)
		gate(i, trap_entries + TRAP_ENTRY * i);
	gate(DB, step_entry);
	gate(TIMER_VECTOR, timer_entry);
	gate(SPURIOUS_VECTOR, spurious_entry);
	__asm__ volatile("lidt %0" : : "m" (idtr));

	outb(PIC1, 0x11);
	outb(PIC2, 0x11);
	outb(PIC1 + 1, TIMER_VECTOR);
	outb(PIC2 + 1, TIMER_VECTOR + 8);
	outb(PIC1 + 1, 4);
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1);
	outb(PIC2 + 1, 1);
	outb(PIC1 + 1, 0xfe);	/* only the timer */
	outb(PIC2 + 1, 0xff);

	fpu_init();
	timer_arm();
	interrupts_on();
}
