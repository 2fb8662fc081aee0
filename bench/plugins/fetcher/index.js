import { timeGets } from './time-gets.js'

export default { operations: { get: timeGets } }
