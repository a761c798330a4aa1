// Stops what global-setup.mts started.
export { teardown as default } from './global-setup.mts';
