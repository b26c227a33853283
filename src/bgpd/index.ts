export { BgpModule } from './module.ts'
