export function greet(name) {
  return { message: `Hello, ${name}!` }
}
