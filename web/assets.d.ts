// What Vite makes of imports of files.

declare module '*?url' {
  const url: string
  export default url
}
