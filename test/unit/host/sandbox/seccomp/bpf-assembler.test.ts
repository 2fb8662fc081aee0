import { expect } from 'chai'

import { BpfAssembler } from '../../../../../host/sandbox/seccomp/bpf-assembler.ts'
import { runFilter } from './run-filter.ts'

const CALL = { architecture: 7, number: 9, arguments: [0xffff_ffff_0000_0001n] }

describe('BpfAssembler', () => {
  it('writes struct sock_filter, little-endian, with offsets from the next instruction', () => {
    const assembler = new BpfAssembler()
    assembler.load(4)
    assembler.branch('jumpIfEqual', 0xc000_003e, { ifTrue: 'end' })
    assembler.return(0x8000_0000)
    assembler.label('end')
    assembler.return(0x7fff_0000)
    expect(assembler.assemble().toString('hex')).to.equal(
      '2000000004000000150001003e0000c00600000000000080060000000000ff7f',
    )
  })

  it('runs: loads, masks, compares, jumps and returns', () => {
    const assembler = new BpfAssembler()
    assembler.load(0)
    assembler.branch('jumpIfAtLeast', 9, { ifFalse: 'low' })
    assembler.load(20)
    assembler.and(0xff00_00ff)
    assembler.branch('jumpIfEqual', 0xff00_00ff, { ifTrue: 'masked' })
    assembler.label('low')
    assembler.return(1)
    assembler.label('masked')
    assembler.jump('end')
    assembler.return(2)
    assembler.label('end')
    assembler.return(3)
    expect(runFilter(assembler.assemble(), CALL)).to.equal(3)
    expect(runFilter(assembler.assemble(), { ...CALL, number: 8 })).to.equal(1)
    expect(runFilter(assembler.assemble(), { ...CALL, arguments: [1n] })).to.equal(1)
  })

  it('refuses a jump backwards, to nowhere, or too far, and a label that is placed twice', () => {
    const behind = new BpfAssembler()
    behind.label('start')
    behind.jump('start')
    expect(() => behind.assemble()).to.throw('label "start" lies behind its jump')
    const nowhere = new BpfAssembler()
    nowhere.jump('end')
    expect(() => nowhere.assemble()).to.throw('label "end" is placed nowhere')
    const far = new BpfAssembler()
    far.branch('jumpIfEqual', 1, { ifTrue: 'end' })
    for (let count = 0; count < 256; count++) far.return(0)
    far.label('end')
    far.return(1)
    expect(() => far.assemble()).to.throw('"end" is too far for a conditional jump')
    expect(() => far.label('end')).to.throw('label "end" is placed twice')
    const long = new BpfAssembler()
    for (let count = 0; count < 4097; count++) long.return(0)
    expect(() => long.assemble()).to.throw('the program is too long')
  })
})
