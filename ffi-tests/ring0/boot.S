/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * From the loader (Multiboot 1: 32-bit protected mode) to C in long mode, and
 * the entries of traps and of the timer interrupt.
 *
 * Memory from 2 MiB to 64 MiB is mapped one to one.  Nothing below it is
 * mapped, so that a NULL pointer faults.  CR0.TS is set from the first
 * instruction on.
 */

#define	MAGIC		0x1badb002
#define	CR0		0x8005003b	/* PG AM WP NE ET TS MP PE */
#define	CR4_PAE		0x20
#define	MSR_EFER	0xc0000080
#define	EFER_LME	8

	.section .multiboot, "a"
	.align 4
	.long MAGIC, 0, -MAGIC

	.section .bss
	.align 16
	.skip 128 * 1024
stack_top:

	.data
	.align 4096
pml4:	.quad pdpt + 3
	.fill 511, 8, 0
pdpt:	.quad pd + 3
	.fill 511, 8, 0
pd:	.quad 0
	.set page, 1
	.rept 31
	.quad page * 0x200000 + 0x83	/* 2 MiB, writable, present */
	.set page, page + 1
	.endr
	.fill 480, 8, 0

gdt:	.quad 0
	.quad 0x00209a0000000000	/* 8: 64-bit code */
gdtr:	.word . - gdt - 1
	.quad gdt

	.text
	.code32
	.globl start
start:
	cli
	movl $stack_top, %esp
	movl $pml4, %eax
	movl %eax, %cr3
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	btsl $EFER_LME, %eax
	wrmsr
	movl $CR0, %eax
	movl %eax, %cr0
	lgdt gdtr
	ljmp $8, $1f
	.code64
1:	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %ebp, %ebp
	call ring0_main
2:	hlt
	jmp 2b

/* Every trap ends the run: trap(frame), see machine.c.  32 bytes each. */
	.macro trap n
	.align 32
	.ifeq (\n == 8 || (\n >= 10 && \n <= 14) || \n == 17 || \n == 21)
	pushq $0
	.endif
	pushq $\n
	movq %rsp, %rdi
	andq $-16, %rsp
	cld
	call trap
	.endm
	.altmacro
	.align 32
	.globl trap_entries
trap_entries:
	.set n, 0
	.rept 32
	trap %n
	.set n, n + 1
	.endr

/*
 * The timer, on the stack of the code it interrupts.  The processor pushes 40
 * bytes.  This then overwrites 256 more, twice a red zone, before it saves
 * anything.
 */
	.align 16
	.globl timer_entry
timer_entry:
	.set i, 1
	.rept 32
	movq $-0x21524111, -8 * i(%rsp)
	.set i, i + 1
	.endr
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	cld
	call timer
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	iretq

/* The trap flag's trap: counts the instructions of main.c's measurements. */
	.align 16
	.globl step_entry
step_entry:
	incq steps(%rip)
	iretq

/* A tick withdrawn because the timer was armed again.  It needs no EOI. */
	.align 16
	.globl spurious_entry
spurious_entry:
	iretq

	.section .note.GNU-stack, "", @progbits
