import { configureGlobal, readConfigureGlobal } from 'fast-check'
import '../setup.ts'

// That a property fails under a mutant is enough: its smallest counterexample is not asked for.
configureGlobal({ ...readConfigureGlobal(), endOnFailure: true })
