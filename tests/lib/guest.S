/* SPDX-License-Identifier: MIT */
/*
 * guest.S - the whole guest: a boot sector that reads its disks
 *
 * Through the BIOS, so through whatever device a disk hangs on.  It prints on
 * the first serial line: "." for a read, "E" for an error, a line a disk, then
 * "D", and halts.  With DISKS and READS defined (as --defsym) it reads that
 * many; with WRITES it writes what it read to 1024 sectors behind, too.
 */
    .code16
    .globl  _start

    .set    FIRST, 0x80
    .ifndef DISKS
    .set    DISKS, 4
    .endif
    .ifndef READS
    .set    READS, 8
    .endif
    .set    PORT, 0x3f8

_start:
    xor     %ax, %ax
    mov     %ax, %ds
    mov     %ax, %es
    mov     %ax, %ss
    mov     $0x7c00, %sp
    mov     $FIRST, %dl
disk:
    mov     $READS, %bp
    movl    $64, sector
read:
    movw    $8, count           /* the BIOS says there what it read */
    mov     $0x42, %ah
    mov     $packet, %si
    int     $0x13
    .ifdef  WRITES
    jc      2f
    addl    $1024, sector
    mov     $0x4300, %ax
    mov     $packet, %si
    int     $0x13
    pushf
    subl    $1024, sector
    popf
2:
    .endif
    mov     $'.', %al
    jnc     1f
    mov     $'E', %al
1:  call    put
    addl    $16, sector
    dec     %bp
    jnz     read
    mov     $'\n', %al
    call    put
    inc     %dl
    cmp     $(FIRST + DISKS), %dl
    jb      disk
    mov     $'D', %al
    call    put
    mov     $'\n', %al
    call    put
halt:
    cli
    hlt
    jmp     halt

put:
    push    %dx
    mov     $PORT, %dx
    out     %al, %dx
    pop     %dx
    ret

packet:
    .byte   16, 0
count:
    .word   0
    .word   0x8000, 0           /* to */
sector:
    .quad   64

    .org    510
    .word   0xaa55
