import { SingleRouter } from './single-router.ts'
export class ClusterRouter extends SingleRouter {}
