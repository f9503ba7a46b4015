/* Twelve guests, each stuck at a device of a PC, one after the other; two seconds each, by the BIOS's clock.

   Before each one its letter goes to COM1, then all of them are over and "all done" follows. The machine is a q35 with
   its medium at the first AHCI port, a disk that cannot be read at the sixth, and nothing at the fifth. */
        .code16
        .text
        .globl _start
_start: cli
        xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movw $0x7000, %sp
        sti
        movw $0x0220, %ax               /* 32 sectors from the third one on */
        movw $0x8000, %bx
        movw $0x0003, %cx
        movb $0, %dh
        int $0x13
        jmp begin
        .org 510
        .word 0xAA55

        .org 0x400                      /* 0x7C00 + 0x400 = 0x8000: the third sector; the second is empty */
begin:  movl $0x8000FA24, %eax          /* the AHCI controller's BAR 5 */
        movw $0xCF8, %dx
        outl %eax, %dx
        movw $0xCFC, %dx
        inl %dx, %eax
        andl $0xFFFFF000, %eax
        movl %eax, ahci

        .macro culprit letter, start, step
        movb $\letter, %al
        call letter
        call \start
        movw 0x46C, %bp
1:      call \step
        call pause
        movw 0x46C, %ax
        subw %bp, %ax
        cmpw $37, %ax
        jb 1b
        .endm

        culprit 'A', nothing, keyboard
        culprit 'B', nothing, receive
        culprit 'C', nothing, clock_d
        culprit 'D', nothing, counter
        culprit 'E', nothing, link
        culprit 'F', nothing, hpet
        culprit 'G', nothing, card
        culprit 'H', nothing, function
        culprit 'I', periodic, halt
        culprit 'J', command, halt
        culprit 'K', nothing, driver
        culprit 'L', nothing, disk
        movb $'Z', %al
        call letter
        movw $done, %si
2:      lodsb
        testb %al, %al
        jz 3f
        call letter
        jmp 2b
3:      hlt
        jmp 3b

letter: pushw %dx
        pushw %ax
        movw $0x3FD, %dx
4:      inb %dx, %al
        testb $0x20, %al
        jz 4b
        popw %ax
        movw $0x3F8, %dx
        outb %al, %dx
        popw %dx
        ret
pause:  movl $20000, %ecx
5:      decl %ecx
        jnz 5b
nothing: ret
halt:   hlt
        ret

keyboard:                               /* waits for a byte that is never sent */
        inb $0x64, %al
        ret
receive:
        movw $0x3FD, %dx
        inb %dx, %al
        ret
clock_d:
        movb $0x0D, %al
        outb %al, $0x70
        inb $0x71, %al
        ret
counter:                                /* waits for a count by reading it */
        movb $0, %al
        outb %al, $0x43
        inb $0x40, %al
        inb $0x40, %al
        ret
card:   movw $0x306, %dx
        inb %dx, %al
        ret
function:                               /* 00:1e.0 is not there */
        movl $0x8000F000, %eax
        movw $0xCF8, %dx
        outl %eax, %dx
        movw $0xCFC, %dx
        inl %dx, %eax
        ret
periodic:                               /* interrupts without end, which the BIOS takes and ignores */
        movb $0x0B, %al
        outb %al, $0x70
        movb $0x42, %al
        outb %al, $0x71
        ret

        .macro far
        cli
        lgdt table
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        movw $8, %bx
        movw %bx, %fs
        andb $0xFE, %al
        movl %eax, %cr0
        sti
        .endm
link:   far
        movl ahci, %ebx
        movl %fs:0x328(%ebx), %eax
        ret
hpet:   far
        movl $0xFED000F0, %ebx
        movl %fs:(%ebx), %eax
        ret
command:                                /* for a drive that is not there */
        far
        movl ahci, %ebx
        movl $1, %fs:0x338(%ebx)
        ret
driver:                                 /* resets the link, waits, looks, and tries anew */
        far
        movl ahci, %ebx
        movl $1, %fs:0x32C(%ebx)
        call pause
        movl $0, %fs:0x32C(%ebx)
        movw $5, %di
6:      movl %fs:0x328(%ebx), %eax
        call pause
        decw %di
        jnz 6b
        movl %fs:0x320(%ebx), %eax
        movl $-1, %fs:0x330(%ebx)
        ret
disk:   movw $0x0201, %ax
        movw $0x9000, %bx
        movw $0x0001, %cx
        movw $0x0081, %dx
        int $0x13
        ret

        .balign 8
descriptors:
        .quad 0
        .quad 0x00CF92000000FFFF
table:  .word 15
        .long descriptors
ahci:   .long 0
done:   .asciz "all done\r\n"
        .org 0x4400
