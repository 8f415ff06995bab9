/** Entry `tidegate/worker`: for the app's own worker file. */
export { startWorker, type WorkerOptions } from './start.ts'
