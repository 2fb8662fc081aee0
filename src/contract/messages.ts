/** What plugins and applications write to plugins: a name, and a payload beside it. Nothing comes back but that it waits. */

/** As operations are named. */
export const MESSAGE_TYPE = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/

/** By which way a message came. */
export type MessageOrigin = 'plugin' | 'application'

/** The message waits for its recipient. Whether it is ever taken, the sender does not hear. */
export interface SentMessage {
  message_id: string
}
